//! Results of one size: from a worker's copy of `out` to the host's.
//!
//! The callback writes where the caller's array is, in the worker's own copy of it; so it finds there what the caller left
//! there, at the address it knows. When it has returned, the result goes to shared memory, and from there to the caller.

use crate::job::MapWork;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering::*};

pub struct Results {
    map: MapWork,
    shared: *mut u8,
    /// For each item, 1 if its result is there.
    ready: *const AtomicU8,
}

impl Results {
    /// `shared` has room for n results, `ready` for n flags, all 0.
    pub fn new(map: MapWork, shared: *mut u8, ready: *const AtomicU8) -> Results {
        Results { map, shared, ready }
    }

    /// In the worker that has run item i.
    #[inline]
    pub fn send(&self, i: usize) {
        let size = self.map.out_size;
        // SAFETY: item i lies within the caller's array, and within the shared one; this worker has it.
        unsafe {
            ptr::copy_nonoverlapping(self.map.output.add(i * size), self.shared.add(i * size), size);
            (*self.ready.add(i)).store(1, Release);
        }
    }

    /// In the host, when no worker runs any more: leaves the results of items that did not return 0 untouched.
    pub fn deliver(&self, n: usize) {
        let size = self.map.out_size;
        // SAFETY: n flags, which nobody writes any more.
        let ready = unsafe { std::slice::from_raw_parts(self.ready.cast::<u8>(), n) };
        let mut begin = 0;
        for run in ready.chunk_by(|a, b| a == b) {
            if run[0] == 1 {
                // SAFETY: the run lies within both arrays.
                unsafe {
                    let from = self.shared.add(begin * size);
                    ptr::copy_nonoverlapping(from, self.map.output.add(begin * size), run.len() * size);
                }
            }
            begin += run.len();
        }
    }
}
