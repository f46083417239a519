//! What a command reads from its standard input.

use super::pipe;
use std::io::{ErrorKind, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub struct Feed<'a> {
    left: &'a [u8],
    pipe: OwnedFd,
}

impl<'a> Feed<'a> {
    /// A pipe that holds the first of the bytes already, and what is to feed it with the rest.
    pub fn open(bytes: &'a [u8]) -> Result<(OwnedFd, Option<Feed<'a>>)> {
        let (read_end, write_end) = pipe::open()?;
        pipe::never_wait_at(write_end.as_fd())?;
        let mut feed = Feed { left: bytes, pipe: write_end };
        let hungry = feed.write();
        Ok((read_end, hungry.then_some(feed)))
    }

    pub fn pipe(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Writes as much as the pipe takes, and answers whether there is more to write. To drop the feed closes the pipe.
    pub fn write(&mut self) -> bool {
        while !self.left.is_empty() {
            match pipe::write(self.pipe.as_fd(), self.left) {
                Ok(len) => self.left = &self.left[len..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A command that does not read to the end does not want the rest.
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        false
    }
}
