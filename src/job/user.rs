//! The one place that calls the user's functions and writes the user's memory.
//!
//! Everything here rests on the promise that a C caller makes by calling: the pointers it passed are what the header asks
//! for, until the call returns. `capi` has checked what can be checked: no function is NULL, no array is NULL that has
//! items, no two overlap, no size overflows. An executor calls each index at most once.

use crate::abi::bytes::par_bytes;
use crate::abi::callbacks::{par_fork_fn, par_poll_fn, par_progress, par_worker_fn};
use crate::abi::status::{PAR_ITEM_FAILED, PAR_ITEM_OK, par_item};
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct MapWork {
    pub function: unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_void) -> c_int,
    pub ctx: *mut c_void,
    pub input: *const u8,
    pub in_size: usize,
    pub output: *mut u8,
    pub out_size: usize,
}

impl MapWork {
    #[inline]
    pub fn call(&self, i: usize) -> c_int {
        let input = self.input.wrapping_add(i * self.in_size);
        let output = self.output.wrapping_add(i * self.out_size);
        // SAFETY: item i lies within the arrays that the caller passed, and no other worker has it.
        unsafe { (self.function)(input.cast(), output.cast(), self.ctx) }
    }

    /// The loop of the header itself, in a function of its own so that all it needs is in registers: up to the first item
    /// that fails. Answers how many did not run, and the code of the last that did.
    #[inline(never)]
    pub fn call_each(&self, units: Range<usize>) -> (usize, c_int) {
        let MapWork { function, ctx, in_size, out_size, .. } = *self;
        let mut input = self.input.wrapping_add(units.start * in_size);
        let mut output = self.output.wrapping_add(units.start * out_size);
        let mut left = units.len();
        while left > 0 {
            // SAFETY: the items lie within the arrays that the caller passed, and no other worker has them.
            let code = unsafe { function(input.cast(), output.cast(), ctx) };
            left -= 1;
            if code != 0 {
                return (left, code);
            }
            input = input.wrapping_add(in_size);
            output = output.wrapping_add(out_size);
        }
        (0, 0)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct ForWork {
    pub function: unsafe extern "C" fn(usize, usize, *mut c_void) -> c_int,
    pub ctx: *mut c_void,
}

impl ForWork {
    pub fn call(&self, range: Range<usize>) -> c_int {
        // SAFETY: the caller passed this function for any range below n.
        unsafe { (self.function)(range.start, range.end, self.ctx) }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct BytesWork {
    pub function: unsafe extern "C" fn(*const c_void, usize, *mut par_bytes, *mut c_void) -> c_int,
    pub ctx: *mut c_void,
    pub input: *const par_bytes,
    pub output: *mut par_bytes,
}

impl BytesWork {
    #[inline]
    pub fn call(&self, i: usize) -> c_int {
        // SAFETY: entry i lies within the arrays that the caller passed, and no other worker has it.
        unsafe {
            let entry = *self.input.add(i);
            (self.function)(entry.data, entry.len, self.output.add(i), self.ctx)
        }
    }

    /// As `MapWork::call_each`.
    #[inline(never)]
    pub fn call_each(&self, units: Range<usize>) -> (usize, c_int) {
        for i in units.clone() {
            let code = self.call(i);
            if code != 0 {
                return (units.end - (i + 1), code);
            }
        }
        (0, 0)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct ReduceWork {
    pub fold: unsafe extern "C" fn(usize, usize, *mut c_void, *mut c_void) -> c_int,
    pub combine: unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void) -> c_int,
    pub ctx: *mut c_void,
    pub acc: *mut u8,
    pub acc_size: usize,
}

impl ReduceWork {
    /// Folds `range` into `acc`, which must be this call's own copy of `acc_size` bytes.
    pub fn call_fold(&self, range: Range<usize>, acc: *mut u8) -> c_int {
        // SAFETY: the caller passed this function for any range below n and any copy of the identity.
        unsafe { (self.fold)(range.start, range.end, acc.cast(), self.ctx) }
    }

    /// Adds `other` to `acc`; both are copies of `acc_size` bytes that nobody else uses now.
    pub fn call_combine(&self, acc: *mut u8, other: *const u8) -> c_int {
        // SAFETY: the caller passed this function for any two results.
        unsafe { (self.combine)(acc.cast(), other.cast(), self.ctx) }
    }
}

/// Ranges of a reduce that are folded here and combined elsewhere.
#[derive(Debug)]
pub struct FoldWork {
    pub reduce: ReduceWork,
    /// What each range starts from.
    pub identity: *const u8,
    /// Results, one every `stride` bytes from range 0 on.
    pub folds: *mut u8,
    pub stride: usize,
    /// Outcomes of the ranges, from range 0 on.
    pub outcomes: *mut par_item,
}

impl FoldWork {
    /// Folds the items of range `r`, which no other worker has.
    pub fn call(&self, r: usize, items: Range<usize>) -> c_int {
        let to = self.folds.wrapping_add(r * self.stride);
        // SAFETY: whoever made this has memory for range r, and an identity.
        unsafe { ptr::copy_nonoverlapping(self.identity, to, self.reduce.acc_size) };
        let code = self.reduce.call_fold(items, to);
        let state = if code == 0 { PAR_ITEM_OK } else { PAR_ITEM_FAILED };
        // SAFETY: the same.
        unsafe { self.outcomes.wrapping_add(r).write(par_item { state, code }) };
        code
    }
}

// SAFETY: that workers may use `ctx` and the arrays from any thread, each item in one worker, is what calling par_* means.
unsafe impl Sync for MapWork {}
// SAFETY: as for MapWork.
unsafe impl Sync for ForWork {}
// SAFETY: as for MapWork.
unsafe impl Sync for BytesWork {}
// SAFETY: as for MapWork.
unsafe impl Sync for ReduceWork {}
// SAFETY: as for MapWork.
unsafe impl Sync for FoldWork {}

/// The caller's array of outcomes, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Items(pub *mut par_item);

// SAFETY: each entry is written by the worker that has its item.
unsafe impl Sync for Items {}

impl Items {
    pub fn wanted(&self) -> bool {
        !self.0.is_null()
    }

    /// Marks all n as not run, which is all zeros.
    pub fn clear(&self, n: usize) {
        if self.wanted() {
            // SAFETY: the caller passed room for n outcomes.
            unsafe { ptr::write_bytes(self.0, 0, n) };
        }
    }

    #[inline]
    pub fn set(&self, range: Range<usize>, item: par_item) {
        if self.wanted() {
            for i in range {
                // SAFETY: i is below n and this worker has it.
                unsafe { self.0.add(i).write(item) };
            }
        }
    }
}

/// What the caller wants called on its own thread while the call runs.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    pub function: par_poll_fn,
    pub ctx: *mut c_void,
    pub every: Duration,
}

impl Poll {
    /// Whether the call is to go on.
    pub fn call(&self, n: usize, done: usize, failed: usize, elapsed: Duration) -> bool {
        let elapsed_ns = elapsed.as_nanos() as u64;
        let progress = par_progress { size: size_of::<par_progress>(), n, done, failed, elapsed_ns };
        // SAFETY: the caller passed this function; it runs on the calling thread.
        self.function.is_none_or(|function| unsafe { function(&progress, self.ctx) } == 0)
    }
}

/// What runs in a worker around its items.
#[derive(Clone, Copy, Debug)]
pub struct WorkerHooks {
    pub start: par_worker_fn,
    pub stop: par_worker_fn,
    pub ctx: *mut c_void,
}

// SAFETY: the caller passed functions to be run in any worker.
unsafe impl Sync for WorkerHooks {}

impl WorkerHooks {
    /// Whether this worker takes part.
    pub fn start(&self, worker: usize) -> bool {
        // SAFETY: the caller passed this function to be run in a worker.
        self.start.is_none_or(|start| unsafe { start(worker, self.ctx) } == 0)
    }

    pub fn stop(&self, worker: usize) {
        if let Some(stop) = self.stop {
            // SAFETY: the caller passed this function to be run in a worker.
            unsafe { stop(worker, self.ctx) };
        }
    }
}

/// What runs around every fork that the library makes for a call.
#[derive(Clone, Copy, Debug)]
pub struct ForkHooks {
    pub before: par_fork_fn,
    pub after_in_parent: par_fork_fn,
    pub after_in_child: par_fork_fn,
    pub ctx: *mut c_void,
}

impl ForkHooks {
    pub const NONE: ForkHooks =
        ForkHooks { before: None, after_in_parent: None, after_in_child: None, ctx: ptr::null_mut() };

    pub fn before(&self) {
        self.call(self.before);
    }

    /// Also after a fork that was refused: what `before` took must be given back.
    pub fn after_in_parent(&self) {
        self.call(self.after_in_parent);
    }

    pub fn after_in_child(&self) {
        self.call(self.after_in_child);
    }

    fn call(&self, hook: par_fork_fn) {
        if let Some(hook) = hook {
            // SAFETY: the caller passed this function to be run around forks, on the thread that forks.
            unsafe { hook(self.ctx) };
        }
    }
}
