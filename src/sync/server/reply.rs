//! Writes answers in the version of the protocol that the client speaks: RESP2, or RESP3 after `HELLO 3`.

use std::fmt::{Arguments, Write};

pub struct Reply<'a> {
    pub out: &'a mut Vec<u8>,
    pub resp3: bool,
    /// How long `out` may become. What is longer ends the connection.
    pub limit: usize,
    pub overflowed: &'a mut bool,
}

impl Reply<'_> {
    pub fn ok(&mut self) {
        self.simple("OK");
    }

    pub fn simple(&mut self, text: &str) {
        self.put(&[b"+", text.as_bytes(), b"\r\n"]);
    }

    /// `text` begins with a word in capitals, such as ERR. Line breaks that came with it would end the message early.
    pub fn error(&mut self, text: Arguments) {
        let mut message = String::with_capacity(64);
        // Writing into a String cannot fail.
        let _ = message.write_fmt(text);
        let message = message.replace(['\r', '\n'], " ");
        self.put(&[b"-", message.as_bytes(), b"\r\n"]);
    }

    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        if bytes.len() > self.limit.saturating_sub(self.out.len()) {
            *self.overflowed = true;
            return;
        }
        self.header(b'$', bytes.len() as i64);
        self.put(&[bytes, b"\r\n"]);
    }

    pub fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub fn null(&mut self) {
        self.put(&[if self.resp3 { b"_\r\n" } else { b"$-1\r\n" }]);
    }

    /// The absence of what would be an array.
    pub fn null_array(&mut self) {
        self.put(&[if self.resp3 { b"_\r\n" } else { b"*-1\r\n" }]);
    }

    /// The beginning of an array: `len` answers follow.
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// The beginning of a map: `len` pairs follow.
    pub fn map(&mut self, len: usize) {
        if self.resp3 { self.header(b'%', len as i64) } else { self.header(b'*', 2 * len as i64) }
    }

    /// The beginning of a message that answers no command.
    pub fn push(&mut self, len: usize) {
        self.header(if self.resp3 { b'>' } else { b'*' }, len as i64);
    }

    /// Whether an answer with so many bytes of texts in so many parts may still be given.
    pub fn has_room_for(&self, parts: usize, bytes: usize) -> bool {
        // A length, and the two line breaks.
        const FRAME: usize = 32;
        parts.saturating_mul(FRAME).saturating_add(bytes) <= self.limit.saturating_sub(self.out.len())
    }

    fn header(&mut self, kind: u8, value: i64) {
        let mut digits = Digits::default();
        self.put(&[&[kind], digits.of(value), b"\r\n"]);
    }

    fn put(&mut self, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > self.limit.saturating_sub(self.out.len()) {
            *self.overflowed = true;
            return;
        }
        for part in parts {
            self.out.extend_from_slice(part);
        }
    }
}

/// A number as decimal digits, without an allocation.
#[derive(Default)]
pub struct Digits {
    text: [u8; 20],
}

impl Digits {
    pub fn of(&mut self, value: i64) -> &[u8] {
        let mut rest = value.unsigned_abs();
        let mut at = self.text.len();
        loop {
            at -= 1;
            self.text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            at -= 1;
            self.text[at] = b'-';
        }
        &self.text[at..]
    }
}
