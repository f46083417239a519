//! Waiting until a word changes.

#[cfg(target_os = "linux")]
mod system {
    use crate::atomic::AtomicU32;
    use std::ptr;
    use std::time::Duration;

    pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        let time = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the word and the time outlive the call. Any answer, early ones included, makes the caller look again.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                ptr::from_ref(word),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                time,
            )
        };
    }

    pub fn wake(word: &AtomicU32, waiters: i32) {
        // SAFETY: the kernel takes the address as a name and does not read it.
        unsafe {
            libc::syscall(libc::SYS_futex, ptr::from_ref(word), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, waiters)
        };
    }
}

/// Other Unixes: one lock and one condition for all words. Slower, and right.
#[cfg(not(target_os = "linux"))]
mod system {
    use crate::atomic::{AtomicU32, Ordering::SeqCst};
    use std::sync::{Condvar, Mutex, PoisonError};
    use std::time::Duration;

    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if word.load(SeqCst) == expected {
            let timeout = timeout.unwrap_or(Duration::from_secs(3600));
            drop(CHANGED.wait_timeout(guard, timeout));
        }
    }

    pub fn wake(_word: &AtomicU32, _waiters: i32) {
        drop(LOCK.lock().unwrap_or_else(PoisonError::into_inner));
        CHANGED.notify_all();
    }
}

pub use system::{wait, wake};
