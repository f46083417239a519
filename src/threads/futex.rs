//! Waiting until a word changes.

#[cfg(all(target_os = "linux", not(loom)))]
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
#[cfg(all(not(target_os = "linux"), not(loom)))]
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

/// Under loom: the same with loom's lock and condition, so that a lost wake-up shows as a deadlock.
#[cfg(loom)]
mod system {
    use crate::atomic::{AtomicU32, Ordering::SeqCst};
    use loom::sync::{Condvar, Mutex};
    use std::time::Duration;

    loom::lazy_static! {
        static ref LOCK: Mutex<()> = Mutex::new(());
        static ref CHANGED: Condvar = Condvar::new();
    }

    pub fn wait(word: &AtomicU32, expected: u32, _timeout: Option<Duration>) {
        let guard = LOCK.lock().unwrap();
        if word.load(SeqCst) == expected {
            drop(CHANGED.wait(guard));
        }
    }

    pub fn wake(_word: &AtomicU32, _waiters: i32) {
        let _guard = LOCK.lock().unwrap();
        CHANGED.notify_all();
    }
}

pub use system::{wait, wake};
