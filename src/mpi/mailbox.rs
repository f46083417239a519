//! What a rank sends to itself: kept here until it is received, so that it cannot wait for itself.

use super::failure::Failure;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub struct Mailbox(VecDeque<Letter>);

#[derive(Debug)]
pub struct Letter {
    pub tag: i32,
    pub data: Vec<u8>,
}

impl Mailbox {
    pub fn put(&mut self, tag: i32, data: &[u8]) -> Result<(), Failure> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(data.len()).map_err(|_| Failure::memory("a copy of the message", data.len()))?;
        copy.extend_from_slice(data);
        self.0.push_back(Letter { tag, data: copy });
        Ok(())
    }

    /// The oldest with this tag (None: any).
    pub fn take(&mut self, tag: Option<i32>) -> Option<Letter> {
        let at = self.0.iter().position(|letter| tag.is_none_or(|tag| tag == letter.tag))?;
        self.0.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use super::Mailbox;

    #[test]
    fn letters_come_in_order_and_by_their_tags() {
        let mut mailbox = Mailbox::default();
        for (tag, data) in [(1, b"a"), (2, b"b"), (1, b"c")] {
            mailbox.put(tag, data).unwrap();
        }
        assert_eq!(mailbox.take(Some(2)).unwrap().data, b"b");
        assert_eq!(mailbox.take(None).unwrap().data, b"a");
        assert_eq!(mailbox.take(Some(1)).unwrap().data, b"c");
        assert!(mailbox.take(None).is_none());
    }
}
