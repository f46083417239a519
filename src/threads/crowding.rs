//! Where a helper is woken to.
//!
//! The kernel wakes a thread on the CPU where it last ran, if that is idle, or where its waker runs. In a virtual machine an
//! idle CPU may count as one that the host has given to another machine, and then helpers come to their caller's CPU: they
//! wait until its time slice ends, some milliseconds, and share it with the caller until the load is balanced, tens of
//! milliseconds later. So a helper that finds itself there goes to another CPU, and from then on callers give way to
//! the one that they have woken.

use super::ticks::Tick;
use crate::schedule::{MICRO, Picos};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Helpers have been woken to their caller's CPU of late.
static CROWDED: AtomicBool = AtomicBool::new(false);

/// Who gave way for longer let somebody else run.
const AT_ONCE: Picos = 3 * MICRO;

/// For a helper that has just been woken by a caller on this CPU, if that is known: goes to another if it is on the same.
pub fn leave(cpu: Option<usize>) {
    if cpu.is_some() && cpu == here() {
        CROWDED.store(true, Relaxed);
        system::leave(cpu.unwrap_or_default());
    }
}

/// The CPU that this thread is on.
pub fn here() -> Option<usize> {
    system::here()
}

/// For a caller that has just woken a helper: lets it run if it is likely to be on this CPU. `came` tells whether it was.
pub fn give_way(came: impl FnOnce() -> bool) {
    if !CROWDED.load(Relaxed) {
        return;
    }
    let before = Tick::now();
    std::thread::yield_now();
    if Tick::now().since(before) > AT_ONCE && !came() {
        // Other threads want this CPU: they would get more of it than is their due.
        CROWDED.store(false, Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::mem::{MaybeUninit, size_of};

    pub fn here() -> Option<usize> {
        // SAFETY: it takes nothing.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }

    /// A moment without that CPU moves the thread away; then it may go everywhere again. Where that is refused, it stays.
    pub fn leave(cpu: usize) {
        const SIZE: usize = size_of::<libc::cpu_set_t>();
        let mut all = MaybeUninit::<libc::cpu_set_t>::zeroed();
        // SAFETY: the set is all zeros, which is an empty one, and has as many bytes as is said; its bits are asked for and
        // changed within it.
        unsafe {
            if libc::sched_getaffinity(0, SIZE, all.as_mut_ptr()) != 0 || cpu >= libc::CPU_SETSIZE as usize {
                return;
            }
            let all = all.assume_init();
            let mut others = all;
            libc::CPU_CLR(cpu, &mut others);
            if libc::CPU_COUNT(&others) > 0 && libc::sched_setaffinity(0, SIZE, &others) == 0 {
                libc::sched_setaffinity(0, SIZE, &all);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub fn here() -> Option<usize> {
        None
    }

    pub fn leave(_cpu: usize) {}
}

#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests {
    use super::{here, leave};

    fn cpus() -> Vec<bool> {
        // SAFETY: an empty set is all zeros; it is filled and read within its size.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set), 0);
            (0..libc::CPU_SETSIZE as usize).map(|cpu| libc::CPU_ISSET(cpu, &set)).collect()
        }
    }

    #[test]
    fn a_thread_leaves_its_cpu_and_may_come_back() {
        let before = cpus();
        let went = (0..100).any(|_| {
            let cpu = here();
            leave(cpu);
            here() != cpu
        });
        assert!(went || before.iter().filter(|&&allowed| allowed).count() == 1);
        assert_eq!(cpus(), before);
    }
}
