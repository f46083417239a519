//! Signals are the host's: threads of the library take none.

/// Blocks asynchronous signals in this thread, and so in those it makes, until dropped: the host's handlers run in the
/// host's threads. What a fault raises in the thread that makes it stays open.
pub struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    pub fn new() -> SignalsBlocked {
        const OF_FAULTS: [libc::c_int; 7] =
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];
        // SAFETY: the sets are initialised by the calls that take them.
        unsafe {
            let mut blocked = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut blocked);
            for signal in OF_FAULTS {
                libc::sigdelset(&mut blocked, signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
            SignalsBlocked { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that pthread_sigmask gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}
