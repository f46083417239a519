//! What a command writes to one of its pipes: kept whole, in memory first, in a file when it grows long.

use super::memory::Memory;
use super::pipe;
use super::spill;
use std::fs::File;
use std::io::{Error, Result, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// As much as a pipe holds, unless somebody has enlarged it.
pub const PART: usize = 64 * 1024;

/// Longer output goes to a file.
const MEMORY_LIMIT: usize = 1024 * 1024;

pub struct Capture {
    /// None once it was given up.
    pipe: Option<Pipe>,
    kept: Kept,
}

/// Both ends. While we hold the one to write to, a command that closes its output wakes nobody: it is read when there is
/// something to read, and when the command has ended. So a command without output wakes its host once and not three times.
struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
}

enum Kept {
    InMemory(Memory),
    InFile(File, usize),
}

/// Output that is whole: memory of `malloc`, or of `spill::map`.
#[derive(Debug)]
pub struct Captured {
    data: *mut u8,
    len: usize,
    mapped: bool,
}

impl Captured {
    /// Hands it over, to be given back to `release`: the memory, its length, whether it is mapped.
    pub fn into_raw(self) -> (*mut u8, usize, bool) {
        let raw = (self.data, self.len, self.mapped);
        std::mem::forget(self);
        raw
    }

    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        // SAFETY: it is ours, and comes from where `mapped` says.
        unsafe { release(self.data, self.len, self.mapped) };
    }
}

/// # Safety
/// The arguments are what `Captured::into_raw` gave, or NULL, and nobody uses the memory any more.
pub unsafe fn release(data: *mut u8, len: usize, mapped: bool) {
    // SAFETY: the caller hands the memory over.
    unsafe { if mapped { spill::unmap(data, len) } else { libc::free(data.cast()) } };
}

impl Capture {
    pub fn open() -> Result<Capture> {
        let (from, to) = pipe::open()?;
        // Somebody else may read from it, too: /dev/stdout opens it anew. What is gone is then not waited for.
        pipe::never_wait_at(from.as_fd())?;
        Ok(Capture { pipe: Some(Pipe { from, to }), kept: Kept::InMemory(Memory::new()) })
    }

    /// What to read from, when there is something to read.
    pub fn source(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.from.as_fd())
    }

    /// What the command is to write to.
    pub fn target(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.to.as_fd())
    }

    /// Reads once. There is something to read.
    pub fn read(&mut self, part: &mut [u8; PART], folder: &Path) -> Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        match pipe::read(pipe.from.as_fd(), part)? {
            Some(len) => self.keep(&part[..len], folder),
            None => Ok(()),
        }
    }

    /// Reads what the pipe holds now, and no more: somebody may hold it open for ever. The command has ended.
    pub fn read_rest(&mut self, part: &mut [u8; PART], folder: &Path) -> Result<()> {
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        let mut left = pipe::waiting(pipe.from.as_fd())?;
        while left > 0 {
            let most = left.min(PART);
            let Some(len) = pipe::read(pipe.from.as_fd(), &mut part[..most])? else { break };
            self.keep(&part[..len], folder)?;
            left -= len;
        }
        Ok(())
    }

    /// Lets the pipe go: whoever writes there is told that nobody listens.
    pub fn give_up(&mut self) {
        self.pipe = None;
    }

    pub fn finish(self) -> Result<Captured> {
        match self.kept {
            Kept::InMemory(memory) => {
                let (data, len) = memory.into_raw();
                Ok(Captured { data, len, mapped: false })
            }
            Kept::InFile(file, len) => Ok(Captured { data: spill::map(&file, len)?, len, mapped: true }),
        }
    }

    fn keep(&mut self, bytes: &[u8], folder: &Path) -> Result<()> {
        match &mut self.kept {
            Kept::InMemory(memory) if memory.len() + bytes.len() <= MEMORY_LIMIT => {
                memory.append(bytes).map_err(|_| Error::from_raw_os_error(libc::ENOMEM))?;
            }
            Kept::InMemory(memory) => {
                let mut file = spill::create(folder)?;
                file.write_all(memory.bytes())?;
                file.write_all(bytes)?;
                self.kept = Kept::InFile(file, memory.len() + bytes.len());
            }
            Kept::InFile(file, len) => {
                file.write_all(bytes)?;
                *len += bytes.len();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Capture, PART};
    use crate::commands::pipe;

    #[test]
    fn what_a_command_has_taken_back_is_not_waited_for() {
        let mut capture = Capture::open().unwrap();
        let mut part = Box::new([0; PART]);
        let folder = std::env::temp_dir();
        pipe::write(capture.target().unwrap(), b"kept").unwrap();
        capture.read(&mut part, &folder).unwrap();
        // As if the poll had seen something that is gone by now.
        capture.read(&mut part, &folder).unwrap();
        pipe::write(capture.target().unwrap(), b" whole").unwrap();
        capture.read_rest(&mut part, &folder).unwrap();
        assert_eq!(capture.finish().unwrap().len(), 10);
    }
}
