//! How the numbers and texts of a call travel. All ranks run the same version of this library: the first message says so.

use std::ops::Range;

#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn number(&mut self, number: u64) -> &mut Writer {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }

    pub fn size(&mut self, size: usize) -> &mut Writer {
        self.number(size as u64)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.size(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn range(&mut self, range: &Range<usize>) -> &mut Writer {
        self.size(range.start).size(range.end)
    }

    pub fn ranges(&mut self, ranges: &[Range<usize>]) -> &mut Writer {
        self.size(ranges.len());
        ranges.iter().for_each(|range| {
            self.range(range);
        });
        self
    }
}

/// Beyond its end it reads zeros.
#[derive(Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn number(&mut self) -> u64 {
        match self.0.split_first_chunk::<8>() {
            Some((number, rest)) => {
                self.0 = rest;
                u64::from_ne_bytes(*number)
            }
            None => 0,
        }
    }

    pub fn size(&mut self) -> usize {
        self.number() as usize
    }

    pub fn bytes(&mut self) -> &'a [u8] {
        let len = self.size().min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn range(&mut self) -> Range<usize> {
        let start = self.size();
        start..self.size()
    }

    pub fn ranges(&mut self) -> Vec<Range<usize>> {
        let len = self.size().min(self.0.len() / 16);
        (0..len).map(|_| self.range()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Writer};

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.number(7).bytes(b"seven").ranges(&[1..2, 3..9]).range(&(4..5));
        let mut reader = Reader(&writer.0);
        assert_eq!((reader.number(), reader.text()), (7, "seven".into()));
        assert_eq!((reader.ranges(), reader.range()), (vec![1..2, 3..9], 4..5));
        assert_eq!((reader.number(), reader.bytes()), (0, &b""[..]));
    }
}
