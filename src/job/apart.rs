//! Parts of a job that run apart: on another rank, which has the functions, and of the arrays what was sent along.

use super::reduction::Reduction;
use super::user::{FoldWork, Items};
use super::{BytesWork, Cause, Halt, Job, MapWork, Tally, Work};
use crate::abi::bytes::par_bytes;
use crate::abi::status::par_item;
use crate::memory;
use std::ops::Range;
use std::slice;

/// Where a part that runs apart has its memory. Each pointer is to what belongs to the part's first unit, or NULL.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Items of a map.
    pub input: *const u8,
    /// Items of a map of bytes.
    pub entries: *const par_bytes,
    /// Outcomes of the units.
    pub outcomes: *mut par_item,
    /// Results of the ranges of a reduce, `stride` bytes each.
    pub folds: *mut u8,
    pub stride: usize,
    /// What each of them starts from.
    pub identity: *const u8,
}

impl Job {
    /// This job as far as the units from `first` on are concerned, with their memory at `place`. Results of a map go where
    /// this job has them.
    pub fn apart(&self, first: usize, place: Place) -> Job {
        let outcomes = place.outcomes.wrapping_sub(first);
        let (work, items) = match &self.work {
            Work::Map(map) => {
                let input = place.input.wrapping_sub(first * map.in_size);
                (Work::Map(MapWork { input, ..*map }), outcomes)
            }
            Work::Bytes(bytes) => {
                let input = place.entries.wrapping_sub(first);
                (Work::Bytes(BytesWork { input, ..*bytes }), outcomes)
            }
            Work::For(range) => (Work::For(*range), outcomes),
            Work::Reduce(reduce) => {
                let folds = place.folds.wrapping_sub(first * place.stride);
                let fold =
                    FoldWork { reduce: *reduce, identity: place.identity, folds, stride: place.stride, outcomes };
                (Work::Fold(fold), std::ptr::null_mut())
            }
            Work::Fold(_) => unreachable!("a part is not cut again"),
            #[cfg(all(test, not(loom)))]
            Work::Panic => (Work::Panic, outcomes),
        };
        let items = if place.outcomes.is_null() { std::ptr::null_mut() } else { items };
        let reduction = self.reduction.as_ref().map(|reduction| Box::new(reduction.with_same_ranges()));
        Job { work, n: self.n, keep_going: self.keep_going, items: Items(items), reduction }
    }

    /// How many of the units from `first` on have run when `done` items of them have.
    pub fn units_in(&self, first: usize, done: usize) -> usize {
        let Some(reduction) = &self.reduction else { return done };
        let begin = if done > 0 { reduction.range(first).start } else { return 0 };
        (first..).take_while(|&unit| unit < reduction.ranges() && reduction.range(unit).end <= begin + done).count()
    }

    /// Takes over the result of a range that was folded apart; None: it failed.
    pub fn place(&self, unit: usize, result: Option<&[u8]>, halt: &Halt, tally: &mut Tally) {
        let (Work::Reduce(reduce), Some(reduction)) = (&self.work, &self.reduction) else {
            unreachable!("only a reduce has ranges")
        };
        let copy = match result.map(Reduction::copy_of) {
            Some(None) => return halt.raise(Cause::OutOfMemory),
            Some(copy) => copy,
            None => None,
        };
        self.line_up(unit, copy, reduce, reduction, halt, tally);
    }

    /// Where the caller sees the outcomes, if it wants them.
    pub fn outcomes(&self) -> Option<*mut par_item> {
        self.items.wanted().then_some(self.items.0)
    }

    pub fn set_outcomes(&self, items: Range<usize>, item: par_item) {
        self.items.set(items, item);
    }
}

impl MapWork {
    pub fn input_of(&self, items: Range<usize>) -> (*const u8, usize) {
        (self.input.wrapping_add(items.start * self.in_size), items.len() * self.in_size)
    }

    pub fn output_of(&self, items: Range<usize>) -> (*mut u8, usize) {
        (self.output.wrapping_add(items.start * self.out_size), items.len() * self.out_size)
    }
}

impl BytesWork {
    pub fn input_of(&self, i: usize) -> &[u8] {
        // SAFETY: entry i lies within the array that the caller passed, and stays as it is.
        unsafe { contents(&*self.input.add(i)) }
    }

    /// The result of an item that has run.
    pub fn output_of(&self, i: usize) -> &[u8] {
        // SAFETY: entry i lies within the array that the caller passed, and its worker has left it.
        unsafe { contents(&*self.output.add(i)) }
    }

    /// Takes over the result of item i, which ran elsewhere. False: no memory.
    pub fn put_output(&self, i: usize, result: &[u8]) -> bool {
        // SAFETY: entry i lies within the array that the caller passed, holds malloc's memory, and no worker has it.
        unsafe {
            let entry = &mut *self.output.add(i);
            let Some(data) = memory::resize(entry.data.cast(), entry.len, result.len()) else { return false };
            *entry = par_bytes { data: data.cast(), len: result.len() };
            if !result.is_empty() {
                data.copy_from_nonoverlapping(result.as_ptr(), result.len());
            }
        }
        true
    }
}

/// # Safety
/// The entry is `{NULL, 0}` or has as many readable bytes as it says.
unsafe fn contents(entry: &par_bytes) -> &[u8] {
    // SAFETY: the caller says so.
    if entry.len == 0 { &[] } else { unsafe { slice::from_raw_parts(entry.data.cast(), entry.len) } }
}
