//! What the host's image must not do in the processes forked from it.

use super::system;
use libc::{FILE, c_int, c_void, pid_t, sigset_t};
use std::fs;

unsafe extern "C" {
    static stdout: *mut FILE;
    static stderr: *mut FILE;
    fn __fpurge(file: *mut FILE);
    fn __fpending(file: *mut FILE) -> usize;
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    #[cfg(target_env = "gnu")]
    fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// In the supervisor, before anything else, and for its workers: a `pthread_cancel` that the calling thread has yet to obey
/// came along with its image, and is meant for that thread alone.
pub fn leave_cancellation_to_the_host() {
    // SAFETY: a state of this thread; a null pointer asks for no answer.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, std::ptr::null_mut()) };
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

/// In a worker. `blocked` is what the calling thread had blocked.
pub fn become_worker(blocked: &sigset_t) {
    system::name_process(c"par-worker");
    forget_output();
    system::set_blocked_signals(blocked);
}

/// Has the system end this worker rather than the host when memory runs out: as if it used half of the memory more.
pub fn offer_to_oom_killer(worker: pid_t) {
    // Where there is no /proc, everything goes on without.
    let _ = fs::write(format!("/proc/{worker}/oom_score_adj"), "500");
}

/// What the forking process had printed and not yet flushed is its own to flush.
fn forget_output() {
    // SAFETY: the C library's own streams, whose locks it resets at a fork.
    unsafe {
        for stream in [stdout, stderr] {
            if __fpending(stream) > 0 {
                __fpurge(stream);
            }
        }
    }
}

/// Prints what callbacks have printed; done after each item, so that nothing of a finished one is lost.
#[inline]
pub fn flush_output() {
    // SAFETY: the C library's own stream.
    unsafe {
        if __fpending(stdout) > 0 {
            libc::fflush(stdout);
        }
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
