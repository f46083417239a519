//! Pipes between the host and its commands. No end of one is ever 0, 1 or 2, which the child is about to replace.

use std::ffi::c_int;
use std::io::{Error, ErrorKind, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// The end to read from and the end to write to.
pub fn open() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors, which are then ours.
    let (read_end, write_end) = unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(Error::last_os_error());
        }
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    Ok((above_standard(read_end)?, above_standard(write_end)?))
}

/// The same file under a number from 3 on: a host that has closed its own standard files gets theirs.
pub fn above_standard(file: OwnedFd) -> Result<OwnedFd> {
    if file.as_raw_fd() > 2 {
        return Ok(file);
    }
    // SAFETY: plain system call; the descriptor it gives is ours.
    unsafe {
        let moved = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3);
        if moved < 0 { Err(Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(moved)) }
    }
}

/// Reads once; 0 is the end. None: there is nothing to read, from a pipe that is never waited at.
pub fn read(pipe: BorrowedFd, into: &mut [u8]) -> Result<Option<usize>> {
    loop {
        // SAFETY: the buffer is ours and so long.
        let len = unsafe { libc::read(pipe.as_raw_fd(), into.as_mut_ptr().cast(), into.len()) };
        if len >= 0 {
            return Ok(Some(len as usize));
        }
        let error = Error::last_os_error();
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// How many bytes can be read now.
pub fn waiting(pipe: BorrowedFd) -> Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: the request writes an int.
    let asked = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &mut count) };
    if asked != 0 { Err(Error::last_os_error()) } else { Ok(count as usize) }
}

/// Writes as much as the pipe takes now. A reader that is gone is an error, and no SIGPIPE for the host.
pub fn write(pipe: BorrowedFd, bytes: &[u8]) -> Result<usize> {
    let _silence = WithoutSigpipe::new();
    // SAFETY: the bytes can be read.
    let len = unsafe { libc::write(pipe.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    if len < 0 { Err(Error::last_os_error()) } else { Ok(len as usize) }
}

pub fn never_wait_at(pipe: BorrowedFd) -> Result<()> {
    // SAFETY: plain system calls on a descriptor of ours.
    let set = unsafe {
        let flags = libc::fcntl(pipe.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)
    };
    if set != 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Waits until one of them is ready, or the time is over, or a signal comes.
pub fn wait(files: &mut [libc::pollfd], time: Option<Duration>) -> Result<()> {
    let time = time.map(|time| libc::timespec {
        tv_sec: time.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: time.subsec_nanos() as _,
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: array and time outlive the call.
    let ready = unsafe { libc::ppoll(files.as_mut_ptr(), files.len() as libc::nfds_t, time, ptr::null()) };
    if ready < 0 {
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
        files.iter_mut().for_each(|file| file.revents = 0);
    }
    Ok(())
}

/// While it lives a broken pipe sends this thread no SIGPIPE.
struct WithoutSigpipe {
    before: libc::sigset_t,
    was_pending: bool,
}

impl WithoutSigpipe {
    fn new() -> WithoutSigpipe {
        let only = only_sigpipe();
        let mut before = MaybeUninit::uninit();
        // SAFETY: plain calls on sets of ours; the mask is this thread's own.
        unsafe {
            let was_pending = sigpipe_is_pending();
            libc::pthread_sigmask(libc::SIG_BLOCK, &only, before.as_mut_ptr());
            WithoutSigpipe { before: before.assume_init(), was_pending }
        }
    }
}

impl Drop for WithoutSigpipe {
    fn drop(&mut self) {
        // SAFETY: as above. A signal that was there before is left to the host.
        unsafe {
            if !self.was_pending && sigpipe_is_pending() {
                let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
                libc::sigtimedwait(&only_sigpipe(), ptr::null_mut(), &at_once);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut());
        }
    }
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the first call makes it a set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

fn sigpipe_is_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: the call fills the set in.
    unsafe {
        libc::sigpending(pending.as_mut_ptr());
        libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}
