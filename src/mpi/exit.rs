//! The end of the process: a rank that ends well finalizes, one that ends with an error takes the job down with it.
//!
//! Without this, MPICH calls a job a success whose rank 1 left early and took its work along.

use super::api::Mpi;
use super::session;
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Lives as long as the process: `abort` must work whatever state the session is in.
static PEERS: OnceLock<&'static dyn Mpi> = OnceLock::new();

/// From now on, the end of the process is seen.
pub fn watch(mpi: &'static dyn Mpi) {
    if PEERS.set(mpi).is_ok() {
        // SAFETY: the library is never unloaded, so the function stays.
        unsafe { on_exit(at_exit, std::ptr::null_mut()) };
    }
}

pub fn peers_of_this_process() -> Option<&'static dyn Mpi> {
    PEERS.get().copied()
}

/// What the program has printed, which the end of a program writes out after us: an abort may leave it no time.
pub fn write_out() {
    // SAFETY: the C library's standard output, which it flushes itself, too.
    unsafe { libc::fflush(stdout) };
}

/// Waits, no longer than a second, until the launcher has read what this process has written: with the end of the job,
/// Open MPI forgets what it has not read.
pub fn wait_for_readers() {
    let begun = Instant::now();
    while [1, 2].into_iter().any(is_unread) && begun.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_unread(pipe: c_int) -> bool {
    let mut unread: c_int = 0;
    // SAFETY: plain system calls, with places for what they answer.
    unsafe {
        let mut about: libc::stat = std::mem::zeroed();
        libc::fstat(pipe, &mut about) == 0
            && about.st_mode & libc::S_IFMT == libc::S_IFIFO
            && libc::ioctl(pipe, libc::FIONREAD, &mut unread) == 0
            && unread > 0
    }
}

unsafe extern "C" {
    static stdout: *mut libc::FILE;
}

extern "C" fn at_exit(status: c_int, _: *mut c_void) {
    // Of an exit status, the last eight bits are seen.
    let _ = std::panic::catch_unwind(|| session::end(status & 0xff));
}

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// Without glibc, nobody tells how the process ends: it counts as well.
#[cfg(not(target_env = "gnu"))]
unsafe fn on_exit(_: extern "C" fn(c_int, *mut c_void), _: *mut c_void) -> c_int {
    extern "C" fn well() {
        at_exit(0, std::ptr::null_mut());
    }
    // SAFETY: as for `on_exit`.
    unsafe { libc::atexit(well) }
}
