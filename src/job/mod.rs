//! What is to be done: items or ranges, how one runs, where its result goes, and what came of it.
//!
//! An executor cuts the job's units (items, or ranges of a reduce) among its workers in any way and calls `run` for each
//! part, then `finish`. The user's functions are called in `user` and nowhere else.

mod halt;
mod outcome;
mod reduction;
pub mod user;

pub use halt::{Cause, Halt};
pub use outcome::{Outcome, Tally};
pub use user::{BytesWork, ForWork, MapWork, ReduceWork};

use crate::abi::status::{PAR_ITEM_FAILED, PAR_ITEM_OK, par_item};
use reduction::Reduction;
use std::ops::Range;

#[derive(Debug)]
pub enum Work {
    Map(MapWork),
    For(ForWork),
    Reduce(ReduceWork),
    Bytes(BytesWork),
    /// Panics as a bug of the library would, to test that it is contained.
    #[cfg(test)]
    Panic,
}

/// One call's work, shared by all its workers; on cache lines of its own, since it is read all the time and never written.
#[derive(Debug)]
#[repr(align(128))]
pub struct Job {
    work: Work,
    n: usize,
    keep_going: bool,
    items: user::Items,
    reduction: Option<Box<Reduction>>,
}

/// A hand-out: consecutive units.
#[derive(Clone, Debug)]
pub struct Part {
    pub units: Range<usize>,
    /// How many items may start between two looks whether to stop; more than 1 only where items are known to be short.
    pub stride: usize,
}

impl Job {
    #[inline]
    pub fn new(work: Work, n: usize, grain: usize, keep_going: bool, items: user::Items) -> Job {
        let reduction = match &work {
            Work::Reduce(_) if n > 0 => Some(Box::new(Reduction::new(n, grain))),
            _ => None,
        };
        items.clear(n);
        Job { work, n, keep_going, items, reduction }
    }

    pub fn items(&self) -> usize {
        self.n
    }

    /// How many units an executor cuts among its workers.
    #[inline]
    pub fn units(&self) -> usize {
        self.reduction.as_ref().map_or(self.n, |reduction| reduction.ranges())
    }

    /// The fewest units worth handing out at once when the user asked for `grain` items.
    pub fn unit_grain(&self, grain: usize) -> usize {
        if self.reduction.is_some() { 1 } else { grain }
    }

    /// The address of the function that runs the items.
    pub fn function(&self) -> usize {
        match &self.work {
            Work::Map(map) => map.function as usize,
            Work::For(range) => range.function as usize,
            Work::Reduce(reduce) => reduce.fold as usize,
            Work::Bytes(bytes) => bytes.function as usize,
            #[cfg(test)]
            Work::Panic => 0,
        }
    }

    /// Runs these units in order, as far as `halt` lets it, and counts them in `tally`.
    #[inline]
    pub fn run(&self, part: Part, halt: &Halt, tally: &mut Tally) {
        match &self.work {
            Work::Map(map) => {
                let map = *map;
                self.run_items(part, halt, tally, |i| map.call(i));
            }
            Work::Bytes(bytes) => {
                let bytes = *bytes;
                self.run_items(part, halt, tally, |i| bytes.call(i));
            }
            Work::For(range) => {
                if !halt.stops() {
                    let code = range.call(part.units.clone());
                    self.settle(part.units, code, halt, tally);
                }
            }
            Work::Reduce(reduce) => {
                let reduction = self.reduction.as_ref().expect("a reduce with items has its reduction");
                for unit in part.units {
                    if halt.stops() {
                        return;
                    }
                    self.run_fold(unit, reduce, reduction, halt, tally);
                }
            }
            #[cfg(test)]
            Work::Panic => panic!("planted"),
        }
    }

    /// Puts the result of a reduce where the caller looks for it. `outcome` is final.
    pub fn finish(&self, outcome: &Outcome) {
        if let (Work::Reduce(reduce), Some(reduction)) = (&self.work, &self.reduction) {
            let complete = outcome.cause.is_none() && outcome.done == self.n;
            if complete && (outcome.failed == 0 || self.keep_going) {
                reduction.deliver(reduce);
            }
        }
    }

    /// The loop that every item of a map runs in: nothing in it but the call, and between strides a look whether to stop.
    #[inline(always)]
    fn run_items(&self, part: Part, halt: &Halt, tally: &mut Tally, call: impl Fn(usize) -> i32) {
        let Range { start, end } = part.units;
        let brake = halt.brake();
        let items = self.items;
        let mut next = start;
        while next < end && !brake.stops() {
            let look_at = next + part.stride.min(end - next);
            while next < look_at {
                let code = call(next);
                next += 1;
                if code != 0 {
                    self.fail(next - 1..next, code, tally);
                    if !self.keep_going {
                        halt.raise(Cause::Failed);
                        break;
                    }
                } else if items.wanted() {
                    items.set(next - 1..next, par_item { state: PAR_ITEM_OK, code: 0 });
                }
            }
        }
        tally.done += next - start;
    }

    fn run_fold(&self, unit: usize, reduce: &ReduceWork, reduction: &Reduction, halt: &Halt, tally: &mut Tally) {
        let Some((copy, code)) = reduction.fold(unit, reduce) else {
            return halt.raise(Cause::OutOfMemory);
        };
        self.settle(reduction.range(unit), code, halt, tally);
        let placed = reduction.place(unit, (code == 0).then_some(copy), reduce, |range, code| {
            self.fail(range, code, tally);
            if !self.keep_going {
                halt.raise(Cause::Failed);
            }
            self.keep_going
        });
        if placed.is_err() {
            halt.raise(Cause::OutOfMemory);
        }
    }

    /// Counts a range that ran as one.
    fn settle(&self, range: Range<usize>, code: i32, halt: &Halt, tally: &mut Tally) {
        tally.done += range.len();
        if code == 0 {
            self.items.set(range, par_item { state: PAR_ITEM_OK, code: 0 });
        } else {
            self.fail(range, code, tally);
            if !self.keep_going {
                halt.raise(Cause::Failed);
            }
        }
    }

    #[cold]
    fn fail(&self, range: Range<usize>, code: i32, tally: &mut Tally) {
        let item = par_item { state: PAR_ITEM_FAILED, code };
        tally.fail(range.clone(), item);
        self.items.set(range, item);
    }
}
