//! Reads commands as their bytes arrive: an array of bulk strings, or a plain line as one types it.
//!
//! A length is believed when its bytes are there: nothing is reserved for what a header announces. What was read once is not
//! read again, however slowly the rest arrives.

use std::ops::Range;

/// As in Redis.
const LONGEST_STRING: usize = 512 << 20;
const MOST_ARGUMENTS: usize = 1 << 20;
const LONGEST_LINE: usize = 64 << 10;
/// Offsets within a command are 32 bits.
const LONGEST_COMMAND: usize = 1 << 30;

/// A command, whole: its name and what follows.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    bytes: &'a [u8],
    places: &'a [Range<u32>],
}

impl<'a> Request<'a> {
    pub fn new(bytes: &'a [u8], places: &'a [Range<u32>]) -> Request<'a> {
        Request { bytes, places }
    }

    /// Name included.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The name is argument 0.
    pub fn argument(&self, i: usize) -> &'a [u8] {
        &self.bytes[self.places[i].start as usize..self.places[i].end as usize]
    }

    pub fn arguments(&self, from: usize) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let Request { bytes, places } = *self;
        places[from.min(places.len())..].iter().map(|place| &bytes[place.start as usize..place.end as usize])
    }

    /// Its bytes and where the arguments lie in them.
    pub fn parts(&self) -> (&'a [u8], &'a [Range<u32>]) {
        (self.bytes, self.places)
    }
}

/// Why a connection cannot go on: nobody knows where the next command begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// How far a command has been read. Its places are offsets from the command's first byte.
#[derive(Default)]
pub struct Reader {
    places: Vec<Range<u32>>,
    /// Arguments still to come; None before the first line.
    missing: Option<usize>,
    /// The announced length of the string that comes next.
    string: Option<usize>,
    at: usize,
}

impl Reader {
    pub fn places(&self) -> &[Range<u32>] {
        &self.places
    }

    /// Memory that the unfinished command holds beside its bytes.
    pub fn footprint(&self) -> usize {
        self.places.capacity() * size_of::<Range<u32>>()
    }

    /// Reads on in `bytes`, which begin with the command's first byte. Some: the command is whole and has that length.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if self.missing.is_none() {
            let Some(&first) = bytes.first() else { return Ok(None) };
            let Some(line) = self.line(bytes)? else { return Ok(None) };
            if first != b'*' {
                self.split(line, bytes);
                return Ok(Some(self.at));
            }
            let count = number(&bytes[1..line.end]).ok_or(Malformed("invalid multibulk length"))?;
            if count > MOST_ARGUMENTS as i64 {
                return Err(Malformed("invalid multibulk length"));
            }
            self.missing = Some(count.max(0) as usize);
        }
        while self.missing != Some(0) {
            let len = match self.string {
                Some(len) => len,
                None => {
                    let Some(line) = self.line(bytes)? else { return Ok(None) };
                    if bytes[line.start] != b'$' {
                        return Err(Malformed("expected '$' before an argument"));
                    }
                    let len = number(&bytes[line.start + 1..line.end]).and_then(|len| usize::try_from(len).ok());
                    let len = len.filter(|&len| len <= LONGEST_STRING).ok_or(Malformed("invalid bulk length"))?;
                    *self.string.insert(len)
                }
            };
            let end = self.at + len;
            if end + 2 > LONGEST_COMMAND {
                return Err(Malformed("too big a command"));
            }
            if bytes.len() < end + 2 {
                return Ok(None);
            }
            if &bytes[end..end + 2] != b"\r\n" {
                return Err(Malformed("an argument is longer than announced"));
            }
            self.places.push(self.at as u32..end as u32);
            self.at = end + 2;
            self.string = None;
            self.missing = self.missing.map(|missing| missing - 1);
        }
        Ok(Some(self.at))
    }

    /// Ready for the next command.
    pub fn reset(&mut self) {
        const KEPT: usize = 64;
        self.places.clear();
        self.places.shrink_to(KEPT);
        (self.missing, self.string, self.at) = (None, None, 0);
    }

    /// The line that begins here, without its end; the reader then stands behind it.
    fn line(&mut self, bytes: &[u8]) -> Result<Option<Range<usize>>, Malformed> {
        let rest = &bytes[self.at..];
        let Some(len) = rest.iter().take(LONGEST_LINE).position(|&byte| byte == b'\n') else {
            return if rest.len() < LONGEST_LINE { Ok(None) } else { Err(Malformed("too big a line")) };
        };
        let start = self.at;
        self.at += len + 1;
        let end = if len > 0 && rest[len - 1] == b'\r' { self.at - 2 } else { self.at - 1 };
        if start == end && self.missing.is_some() {
            return Err(Malformed("expected '$' before an argument"));
        }
        Ok(Some(start..end))
    }

    /// A typed line: words between spaces.
    fn split(&mut self, line: Range<usize>, bytes: &[u8]) {
        let text = &bytes[line.clone()];
        let mut from = 0;
        for word in text.split(u8::is_ascii_whitespace) {
            if !word.is_empty() {
                let start = line.start + from;
                self.places.push(start as u32..(start + word.len()) as u32);
            }
            from += word.len() + 1;
        }
    }
}

/// A decimal number, all of it and nothing else.
pub fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // As Redis: what would be written otherwise ("+1", "01", "-0") is text and no number.
    if digits.is_empty() || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, &digit| {
        let digit = i64::from(char::from(digit).to_digit(10)?);
        let value = value.checked_mul(10)?;
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}
