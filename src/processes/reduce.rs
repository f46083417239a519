//! A reduce whose workers may end at any instruction.
//!
//! Each range is folded into a copy of the identity in shared memory. A worker that has folded adds what is next in line to
//! the total, if no other worker does. There are two totals: the next one is made of a copy of the last, and one store says
//! that it counts. So a `combine` that ends its worker costs the result of one range, and nothing of the total.

use super::record::Record;
use super::shared::{Call, Control};
use crate::job::{Cause, Job, ReduceWork, Tally};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering::*};

const FOLDED: u8 = 1;
const FAILED: u8 = 2;

/// From this size on, the pages of a result are given back as soon as it is added to the total.
const WORTH_GIVING_BACK: usize = 64 << 10;
/// A multiple of every page size: what is given back must not share a page with the next result.
const PAGE: usize = 64 << 10;

#[derive(Clone, Copy)]
pub struct Sizes {
    acc: usize,
    /// From one copy to the next, each aligned to a cache line, or to a page if it is large.
    stride: usize,
}

impl Sizes {
    pub fn of(reduce: &ReduceWork) -> Sizes {
        let align = if reduce.acc_size >= WORTH_GIVING_BACK { PAGE } else { 64 };
        Sizes { acc: reduce.acc_size, stride: reduce.acc_size.checked_next_multiple_of(align).unwrap_or(usize::MAX) }
    }

    /// Two totals and a copy for each range, from the next page on.
    pub fn room(&self, ranges: usize) -> Option<usize> {
        ranges.checked_add(2)?.checked_mul(self.stride)?.checked_add(PAGE)
    }
}

/// The results of the ranges, in line for the total.
pub struct Line<'a> {
    control: &'a Control<'a>,
    states: *const AtomicU8,
    copies: *mut u8,
    sizes: Sizes,
    ranges: usize,
}

impl<'a> Line<'a> {
    /// `states` has room for a byte of each range, all 0; `room` as much as the sizes say.
    pub fn new(
        control: &'a Control<'a>,
        states: *const AtomicU8,
        room: *mut u8,
        sizes: Sizes,
        ranges: usize,
    ) -> Line<'a> {
        let copies = room.wrapping_add(room.align_offset(PAGE));
        Line { control, states, copies, sizes, ranges }
    }

    /// In the host, before there are workers.
    pub fn begin(&self, reduce: &ReduceWork) {
        self.copy(reduce.acc, self.total(0));
    }

    /// Folds range `r`, which this worker has. Answers the callback's code.
    pub fn fold(&self, r: usize, job: &Job, reduce: &ReduceWork) -> i32 {
        let result = self.result(r);
        self.copy(reduce.acc, result);
        let code = reduce.call_fold(job.items_of(r..r + 1), result);
        self.state(r).store(if code == 0 { FOLDED } else { FAILED }, SeqCst);
        code
    }

    /// Adds what is next in line to the total, as far as it is there, unless another worker is about to.
    pub fn combine(&self, call: &Call, me: usize, reduce: &ReduceWork, tally: &mut Tally) {
        let (control, job, record) = (self.control, call.job, &call.shared.records[me]);
        // Whoever folds while another holds the line finds it taken; so the holder looks once more after letting go.
        while self.is_next_there() && control.combiner.compare_exchange(0, me as u32 + 1, SeqCst, SeqCst).is_ok() {
            while let Some((next, side)) = self.next_there() {
                if self.state(next).load(SeqCst) == FAILED {
                    self.advance(next, side);
                    continue;
                }
                // Each has a time of its own, however many are in line.
                record.since.store(call.clock(), Release);
                record.combining.store(next + 1, Release);
                self.copy(self.total(side), self.total(1 - side));
                let code = reduce.call_combine(self.total(1 - side), self.result(next));
                if code == 0 {
                    self.advance(next, 1 - side);
                } else {
                    job.fail(job.items_of(next..next + 1), code, tally);
                    self.advance(next, side);
                    if !call.options.keep_going {
                        control.halt.raise(Cause::Failed);
                    }
                }
                record.combining.store(0, Release);
                self.give_back(next);
            }
            control.combiner.store(0, SeqCst);
        }
    }

    /// For the supervisor, of a worker that has ended: opens the line again if that worker held it, and answers the range
    /// that it was adding.
    pub fn repair(&self, dead: usize, record: &Record) -> Option<usize> {
        if self.control.combiner.load(SeqCst) != dead as u32 + 1 {
            return None;
        }
        let (next, side) = self.place();
        let culprit = (record.combining.load(Acquire) == next + 1).then_some(next);
        if culprit.is_some() {
            self.advance(next, side);
        }
        self.control.combiner.store(0, SeqCst);
        culprit
    }

    /// Whether range `r` is in line with its result, or has been added already.
    pub fn has_folded(&self, r: usize) -> bool {
        self.state(r).load(SeqCst) == FOLDED
    }

    /// Range `r` ended its worker.
    pub fn fail(&self, r: usize) {
        self.state(r).store(FAILED, SeqCst);
    }

    /// Whether all that is there has been added to the total.
    pub fn is_complete(&self) -> bool {
        self.place().0 == self.ranges
    }

    /// In the host, when no worker runs any more.
    pub fn deliver(&self, reduce: &ReduceWork) {
        self.copy(self.total(self.place().1), reduce.acc);
    }

    /// The next range in line, and which total counts.
    fn place(&self) -> (usize, usize) {
        let word = self.control.combined.load(SeqCst);
        ((word >> 1) as usize, (word & 1) as usize)
    }

    fn advance(&self, next: usize, side: usize) {
        self.control.combined.store((next as u64 + 1) << 1 | side as u64, SeqCst);
    }

    fn next_there(&self) -> Option<(usize, usize)> {
        let (next, side) = self.place();
        (next < self.ranges && self.state(next).load(SeqCst) != 0).then_some((next, side))
    }

    fn is_next_there(&self) -> bool {
        self.next_there().is_some()
    }

    /// Whether the line waits for somebody to combine.
    pub fn is_waiting(&self) -> bool {
        self.control.combiner.load(SeqCst) == 0 && self.is_next_there()
    }

    fn state(&self, r: usize) -> &AtomicU8 {
        // SAFETY: there is one for each range.
        unsafe { &*self.states.add(r) }
    }

    fn total(&self, side: usize) -> *mut u8 {
        self.copies.wrapping_add(side * self.sizes.stride)
    }

    fn result(&self, r: usize) -> *mut u8 {
        self.copies.wrapping_add((2 + r) * self.sizes.stride)
    }

    fn copy(&self, from: *const u8, to: *mut u8) {
        // SAFETY: the caller's accumulator and each copy have as many bytes, and are apart; whoever writes has it alone.
        unsafe { ptr::copy_nonoverlapping(from, to, self.sizes.acc) };
    }

    fn give_back(&self, r: usize) {
        if self.sizes.acc >= WORTH_GIVING_BACK {
            // SAFETY: whole pages of a result that nobody reads any more. A refusal costs memory and nothing else.
            unsafe { libc::madvise(self.result(r).cast(), self.sizes.stride, libc::MADV_REMOVE) };
        }
    }
}
