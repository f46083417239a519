//! `contender.h` in Rust, and the loops over raw memory that all three crates share.

use std::ffi::{c_int, c_void};

pub type ItemFn = unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_void) -> c_int;
pub type RangeFn = unsafe extern "C" fn(usize, usize, *mut c_void) -> c_int;
pub type FoldFn = unsafe extern "C" fn(usize, usize, *mut c_void, *mut c_void) -> c_int;
pub type CombineFn = unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void) -> c_int;

pub type MapCall = unsafe extern "C" fn(ItemFn, *mut c_void, *const c_void, usize, *mut c_void, usize, usize);
pub type ForCall = unsafe extern "C" fn(RangeFn, *mut c_void, usize);
pub type ReduceCall = unsafe extern "C" fn(FoldFn, CombineFn, *mut c_void, *mut c_void, usize, usize);

#[repr(C)]
pub struct Contender {
    pub start: unsafe extern "C" fn(usize) -> c_int,
    pub map: MapCall,
    pub for_ranges: Option<ForCall>,
    pub reduce: Option<ReduceCall>,
    pub map_bytes: Option<unsafe extern "C" fn()>,
    pub bytes_resize: Option<unsafe extern "C" fn()>,
    pub nests: c_int,
}

/// The arguments of `map`, fit to be seen by several threads.
#[derive(Clone, Copy)]
pub struct Items {
    pub item: ItemFn,
    pub ctx: *mut c_void,
    pub input: *const u8,
    pub in_size: usize,
    pub output: *mut u8,
    pub out_size: usize,
}

// SAFETY: the measuring program's items touch their own input and output alone.
unsafe impl Send for Items {}
// SAFETY: as above.
unsafe impl Sync for Items {}

impl Items {
    #[inline]
    pub fn run(&self, i: usize) {
        // SAFETY: i is below the n that the arrays were made for.
        unsafe {
            let input = self.input.add(i * self.in_size);
            let output = self.output.add(i * self.out_size);
            (self.item)(input.cast(), output.cast(), self.ctx);
        }
    }
}

/// The arguments of `for_ranges`, cut into `count` ranges.
#[derive(Clone, Copy)]
pub struct Ranges {
    pub range: RangeFn,
    pub ctx: *mut c_void,
    pub n: usize,
    pub count: usize,
}

// SAFETY: ranges do not overlap.
unsafe impl Send for Ranges {}
// SAFETY: as above.
unsafe impl Sync for Ranges {}

impl Ranges {
    pub fn run(&self, r: usize) {
        self.run_between(self.n * r / self.count, self.n * (r + 1) / self.count);
    }

    pub fn run_between(&self, begin: usize, end: usize) {
        // SAFETY: begin and end lie in 0..=n.
        unsafe { (self.range)(begin, end, self.ctx) };
    }
}

/// Ranges per thread where a crate does not cut ranges by itself.
pub const RANGES_PER_THREAD: usize = 64;

const ACC_MAX: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Accumulator([u8; ACC_MAX]);

/// The arguments of `reduce`, cut into `count` ranges.
#[derive(Clone, Copy)]
pub struct Folding {
    pub fold: FoldFn,
    pub combine: CombineFn,
    pub ctx: *mut c_void,
    pub identity: Accumulator,
    pub n: usize,
    pub count: usize,
}

// SAFETY: each range folds into an accumulator of its own.
unsafe impl Send for Folding {}
// SAFETY: as above.
unsafe impl Sync for Folding {}

impl Folding {
    /// # Safety
    /// `acc` holds `acc_size` bytes, at most 64.
    pub unsafe fn new(
        (fold, combine): (FoldFn, CombineFn),
        ctx: *mut c_void,
        (acc, acc_size): (*mut c_void, usize),
        n: usize,
        count: usize,
    ) -> Folding {
        let mut identity = Accumulator([0; ACC_MAX]);
        // SAFETY: by this function's own condition.
        unsafe { std::ptr::copy_nonoverlapping(acc.cast::<u8>(), identity.0.as_mut_ptr(), acc_size.min(ACC_MAX)) };
        Folding { fold, combine, ctx, identity, n, count: count.min(n).max(1) }
    }

    pub fn fold_range(&self, mut acc: Accumulator, r: usize) -> Accumulator {
        let (begin, end) = (self.n * r / self.count, self.n * (r + 1) / self.count);
        // SAFETY: begin and end lie in 0..=n.
        unsafe { (self.fold)(begin, end, acc.0.as_mut_ptr().cast(), self.ctx) };
        acc
    }

    pub fn joined(&self, mut left: Accumulator, right: Accumulator) -> Accumulator {
        // SAFETY: both are accumulators of the size that the caller gave.
        unsafe { (self.combine)(left.0.as_mut_ptr().cast(), right.0.as_ptr().cast(), self.ctx) };
        left
    }

    /// # Safety
    /// `acc` holds `acc_size` bytes, at most 64.
    pub unsafe fn store(&self, sum: Accumulator, acc: *mut c_void, acc_size: usize) {
        // SAFETY: by this function's own condition.
        unsafe { std::ptr::copy_nonoverlapping(sum.0.as_ptr(), acc.cast::<u8>(), acc_size.min(ACC_MAX)) };
    }
}
