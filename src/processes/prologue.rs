//! What the host's image must not do in the processes forked from it.

use super::system;
use libc::{FILE, c_int, c_void, pid_t};
use std::fs;

unsafe extern "C" {
    static stdout: *mut FILE;
    static stderr: *mut FILE;
    fn __fpurge(file: *mut FILE);
    fn __fpending(file: *mut FILE) -> usize;
    #[cfg(target_env = "gnu")]
    fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// In the supervisor: all that its workers inherit, so that it is done once.
pub fn become_supervisor() {
    system::name_process(c"par-supervisor");
    // Whom the terminal's Ctrl-C ends is the host's to decide; children of a callback must be waited for.
    system::set_signal(libc::SIGINT, libc::SIG_IGN);
    system::set_signal(libc::SIGCHLD, libc::SIG_DFL);
    forget_output();
    keep_exit_handlers_out();
    dump_no_core();
}

/// In a worker.
pub fn become_worker() {
    system::name_process(c"par-worker");
    forget_output();
}

/// Has the system end this worker rather than the host when memory runs out: as if it used half of the memory more.
pub fn offer_to_oom_killer(worker: pid_t) {
    // Where there is no /proc, everything goes on without.
    let _ = fs::write(format!("/proc/{worker}/oom_score_adj"), "500");
}

/// What the forking process had printed and not yet flushed is its own to flush.
fn forget_output() {
    // SAFETY: streams that are open, whose locks the C library resets at a fork.
    streams::each(|stream| unsafe {
        if holds_output(stream) {
            __fpurge(stream);
        }
    });
}

/// Prints what callbacks have printed, whatever the stream; done after each item, so that nothing of a finished one is lost.
#[inline]
pub fn flush_output() {
    if streams::are_standard() {
        // SAFETY: the C library's own streams.
        unsafe {
            for stream in [stdout, stderr] {
                if __fpending(stream) > 0 {
                    libc::fflush(stream);
                }
            }
        }
    } else {
        flush_all();
    }
}

#[cold]
fn flush_all() {
    // SAFETY: streams that are open.
    streams::each(|stream| unsafe {
        if holds_output(stream) {
            libc::fflush(stream);
        }
    });
}

/// Whether a stream has yet to write something, and to a file: one in memory is the callback's own affair.
///
/// # Safety
/// The stream is open.
unsafe fn holds_output(stream: *mut FILE) -> bool {
    // SAFETY: the caller says so.
    unsafe { __fpending(stream) > 0 && libc::fileno(stream) >= 0 }
}

/// The streams that are open. (`fflush(NULL)` knows them, too, but waits where another thread reads from one.)
#[cfg(target_env = "gnu")]
mod streams {
    use super::stderr;
    use libc::FILE;

    #[repr(C)]
    struct Place([u8; 0]);

    unsafe extern "C" {
        fn _IO_list_lock();
        fn _IO_list_unlock();
        fn _IO_iter_begin() -> *mut Place;
        fn _IO_iter_end() -> *mut Place;
        fn _IO_iter_next(at: *mut Place) -> *mut Place;
        fn _IO_iter_file(at: *mut Place) -> *mut FILE;
    }

    /// Whether there are but the three that every process begins with. New ones come to the front of the list, whose end
    /// begins with stderr.
    #[inline]
    pub fn are_standard() -> bool {
        // SAFETY: reads the C library's own list.
        unsafe { _IO_iter_file(_IO_iter_begin()) == stderr }
    }

    pub fn each(mut visit: impl FnMut(*mut FILE)) {
        // SAFETY: while its lock is held the list stays as it is, and its streams stay open.
        unsafe {
            _IO_list_lock();
            let mut at = _IO_iter_begin();
            while at != _IO_iter_end() {
                visit(_IO_iter_file(at));
                at = _IO_iter_next(at);
            }
            _IO_list_unlock();
        }
    }
}

/// Where the C library tells of no others: the two that are known by name.
#[cfg(not(target_env = "gnu"))]
mod streams {
    use super::{stderr, stdout};
    use libc::FILE;

    pub fn are_standard() -> bool {
        true
    }

    pub fn each(visit: impl FnMut(*mut FILE)) {
        // SAFETY: set before a program begins.
        unsafe { [stdout, stderr] }.into_iter().for_each(visit);
    }
}

/// A callback that calls `exit` ends its worker; the host's handlers, which may remove the host's files, do not run.
fn keep_exit_handlers_out() {
    #[cfg(target_env = "gnu")]
    {
        extern "C" fn end(status: c_int, _: *mut c_void) {
            flush_output();
            system::exit_now(status);
        }
        // SAFETY: a function of this library, which is never unloaded. Handlers run from the last to the first.
        unsafe { on_exit(end, std::ptr::null_mut()) };
    }
}

/// A crash is a result here; the hard limit stays, so that a callback can ask for cores again.
fn dump_no_core() {
    // SAFETY: the limit outlives the calls.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_CORE, &mut limit) == 0 && limit.rlim_cur > 0 {
            limit.rlim_cur = 0;
            libc::setrlimit(libc::RLIMIT_CORE, &limit);
        }
    }
}
