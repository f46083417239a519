//! The CPUs that the kernel's scheduler may put the calling thread on (Linux).

use std::ffi::c_ulong;
use std::io::{Error, Result};
use std::mem::size_of_val;

/// The size of glibc's `cpu_set_t` in bits. Larger machines exist, and the kernel refuses a mask shorter than its own.
const FIRST_MASK_BITS: usize = 1024;
const LAST_MASK_BITS: usize = 1 << 20;

/// The number of CPUs in the calling thread's affinity mask.
pub fn allowed() -> Result<usize> {
    let mut bits = FIRST_MASK_BITS;
    loop {
        match mask(bits) {
            Ok(mask) => return Ok(mask.iter().map(|word| word.count_ones() as usize).sum()),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && bits < LAST_MASK_BITS => bits *= 2,
            Err(error) => return Err(error),
        }
    }
}

fn mask(bits: usize) -> Result<Vec<c_ulong>> {
    let mut mask = vec![0; bits / c_ulong::BITS as usize];
    // SAFETY: `mask` is writable for the length passed and has the type that the kernel's interface is defined in;
    // thread 0 is the calling thread.
    let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&mask[..]), mask.as_mut_ptr().cast()) };
    if failed == 0 { Ok(mask) } else { Err(Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_pinned_to_one_cpu_counts_one() {
        let counted = std::thread::spawn(|| {
            let mut one = mask(FIRST_MASK_BITS).expect("the mask of this thread");
            let word = one.iter().position(|word| *word != 0).expect("a CPU that this thread runs on");
            let lowest = one[word] & one[word].wrapping_neg();
            one.fill(0);
            one[word] = lowest;
            // SAFETY: `one` is readable for the length passed; only this thread, which ends soon, is bound by it.
            let failed = unsafe { libc::sched_setaffinity(0, size_of_val(&one[..]), one.as_ptr().cast()) };
            assert_eq!(failed, 0, "sched_setaffinity: {}", Error::last_os_error());
            (allowed().expect("the count"), crate::cpus::available())
        });
        assert_eq!(counted.join().expect("the pinned thread"), (1, 1));
    }

    #[test]
    fn a_mask_too_short_for_the_kernel_is_refused_rather_than_cut() {
        let error = mask(0).expect_err("an empty mask has no room for any CPU");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
