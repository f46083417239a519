//! Which memory is shared with forked workers: what `par_shm_alloc` gave out and `par_shm_free` has not taken back.
//!
//! A list that only grows, whose nodes serve again; no lock, because a process may be forked by one thread while another
//! is here, and its child must not find the door shut for ever.

use crate::memory;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};

struct Range {
    start: AtomicUsize,
    /// 0: free to serve again. `TAKEN`: being written.
    len: AtomicUsize,
    next: AtomicPtr<Range>,
}

const TAKEN: usize = usize::MAX;

static FIRST: AtomicPtr<Range> = AtomicPtr::new(ptr::null_mut());

/// Zeroed memory shared with later forks, or NULL with errno set.
pub fn allocate(len: usize) -> *mut u8 {
    let memory = memory::map_shared(len);
    if !memory.is_null() {
        let range = a_free_one().unwrap_or_else(a_new_one);
        range.start.store(memory.addr(), Release);
        range.len.store(len, Release);
    }
    memory
}

/// # Safety
/// `memory` came from `allocate(len)` and nothing uses it any more.
pub unsafe fn free(memory: *mut u8, len: usize) {
    if let Some(range) = ranges().find(|range| range.start.load(Acquire) == memory.addr() && is_used(range)) {
        range.len.store(0, Release);
    }
    // SAFETY: the caller hands the mapping over.
    unsafe { memory::unmap_shared(memory, len) };
}

/// Whether all of this lies in one piece of shared memory.
pub fn holds(memory: *const u8, len: usize) -> bool {
    ranges().any(|range| {
        let known = range.len.load(Acquire);
        let start = range.start.load(Acquire);
        let unchanged = is_used(range) && range.len.load(Acquire) == known;
        unchanged && memory.addr().checked_sub(start).is_some_and(|at| at <= known && len <= known - at)
    })
}

fn is_used(range: &Range) -> bool {
    !matches!(range.len.load(Acquire), 0 | TAKEN)
}

fn a_free_one() -> Option<&'static Range> {
    ranges().find(|range| range.len.compare_exchange(0, TAKEN, AcqRel, Relaxed).is_ok())
}

fn a_new_one() -> &'static Range {
    let new = Box::leak(Box::new(Range {
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(TAKEN),
        next: AtomicPtr::new(FIRST.load(Relaxed)),
    }));
    let mut first = new.next.load(Relaxed);
    while let Err(now) = FIRST.compare_exchange_weak(first, new, AcqRel, Relaxed) {
        new.next.store(now, Relaxed);
        first = now;
    }
    new
}

fn ranges() -> impl Iterator<Item = &'static Range> {
    let at = |link: &AtomicPtr<Range>| {
        // SAFETY: what is on the list is never freed.
        unsafe { link.load(Acquire).as_ref() }
    };
    std::iter::successors(at(&FIRST), move |range| at(&range.next))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{allocate, free, holds};

    #[test]
    fn only_what_lies_wholly_within_one_piece_is_shared() {
        let (first, second) = (allocate(10_000), allocate(5_000));
        let private = [0u8; 16];
        assert!(holds(first, 10_000) && holds(second, 5_000));
        assert!(holds(first.wrapping_add(9_999), 1) && !holds(first.wrapping_add(9_999), 2));
        assert!(!holds(first.wrapping_sub(1), 1) && !holds(first, usize::MAX));
        assert!(!holds(private.as_ptr(), private.len()));
        // SAFETY: both came from `allocate` and nobody uses them.
        unsafe {
            free(first, 10_000);
            assert!(!holds(first, 1) && holds(second, 5_000));
            free(second, 5_000);
        }
    }
}
