//! What is to be done: items or ranges, how one runs, where its result goes, and what came of it.
//!
//! An executor cuts the job's units (items, or ranges of a reduce) among its workers in any way and calls `run` for each
//! part, then `finish`. The user's functions are called in `user` and nowhere else.

mod apart;
mod ending;
mod halt;
mod outcome;
mod reduction;
pub mod user;
mod watched;

pub use apart::Place;
pub use ending::{Ending, Means};
pub use halt::{Cause, Halt};
pub use outcome::{Outcome, Tally};
pub use user::{BytesWork, FoldWork, ForWork, MapWork, ReduceWork};
pub use watched::Watch;

use crate::abi::status::{PAR_ITEM_FAILED, PAR_ITEM_OK, par_item};
use reduction::Reduction;
use std::ops::Range;

#[derive(Debug)]
pub enum Work {
    Map(MapWork),
    For(ForWork),
    Reduce(ReduceWork),
    Bytes(BytesWork),
    /// Ranges of a reduce whose results are combined elsewhere.
    Fold(FoldWork),
    /// Panics as a bug of the library would, to test that it is contained.
    #[cfg(all(test, not(loom)))]
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

    /// How many items a unit has, about.
    pub fn items_of_a_unit(&self) -> usize {
        self.reduction.as_ref().map_or(1, |reduction| self.n / reduction.ranges())
    }

    /// Whether the units are better handed out in order: a result of a reduce that comes before its turn takes memory.
    pub fn in_order(&self) -> bool {
        self.reduction.is_some()
    }

    /// The address of the function that runs the items.
    pub fn function(&self) -> usize {
        match &self.work {
            Work::Map(map) => map.function as usize,
            Work::For(range) => range.function as usize,
            Work::Reduce(reduce) => reduce.fold as usize,
            Work::Bytes(bytes) => bytes.function as usize,
            Work::Fold(fold) => fold.reduce.fold as usize,
            #[cfg(all(test, not(loom)))]
            Work::Panic => 0,
        }
    }

    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The items of some units.
    pub fn items_of(&self, units: Range<usize>) -> Range<usize> {
        match &self.reduction {
            Some(reduction) if !units.is_empty() => {
                reduction.range(units.start).start..reduction.range(units.end - 1).end
            }
            _ => units,
        }
    }

    /// From here on the items' outcomes go to other memory than the caller's.
    pub fn redirect_items(&mut self, items: user::Items) {
        self.items = items;
    }

    /// Runs these units in order, as far as `halt` lets it, and counts them in `tally`.
    #[inline]
    pub fn run(&self, part: Part, halt: &Halt, tally: &mut Tally) {
        match &self.work {
            Work::Map(map) => self.run_items(part, halt, tally, |units| map.call_each(units)),
            Work::Bytes(bytes) => self.run_items(part, halt, tally, |units| bytes.call_each(units)),
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
            Work::Fold(fold) => {
                let reduction = self.reduction.as_ref().expect("a reduce with items has its reduction");
                for unit in part.units {
                    if halt.stops() {
                        return;
                    }
                    let items = reduction.range(unit);
                    let code = fold.call(unit, items.clone());
                    self.settle(items, code, halt, tally);
                }
            }
            #[cfg(all(test, not(loom)))]
            Work::Panic => panic!("planted"),
        }
    }

    /// Puts the result of a reduce where the caller looks for it. `outcome` is final.
    pub fn finish(&self, outcome: &Outcome) {
        if let (Work::Reduce(reduce), Some(reduction)) = (&self.work, &self.reduction)
            && self.has_result(outcome)
        {
            reduction.deliver(reduce);
        }
    }

    /// Whether a reduce with this outcome has a result.
    pub fn has_result(&self, outcome: &Outcome) -> bool {
        let complete = outcome.cause.is_none() && outcome.done == self.n;
        complete && (outcome.failed == 0 || self.keep_going)
    }

    /// Runs items stride by stride, with a look whether to stop before each.
    #[inline(always)]
    fn run_items(&self, part: Part, halt: &Halt, tally: &mut Tally, run_each: impl Fn(Range<usize>) -> (usize, i32)) {
        let Range { start, end } = part.units;
        let brake = halt.brake();
        let mut next = start;
        while next < end && !brake.stops() {
            let begin = next;
            let look_at = begin + part.stride.min(end - begin);
            let (left, code) = run_each(begin..look_at);
            next = look_at - left;
            let fine = begin..next - usize::from(code != 0);
            self.items.set(fine, par_item { state: PAR_ITEM_OK, code: 0 });
            if code != 0 {
                self.fail(next - 1..next, code, tally);
                if !self.keep_going {
                    halt.raise(Cause::Failed);
                    break;
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
        self.line_up(unit, (code == 0).then_some(copy), reduce, reduction, halt, tally);
    }

    fn line_up(
        &self,
        unit: usize,
        result: Option<reduction::Copy>,
        reduce: &ReduceWork,
        reduction: &Reduction,
        halt: &Halt,
        tally: &mut Tally,
    ) {
        let placed = reduction.place(unit, result, reduce, |range, code| {
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
    pub fn settle(&self, range: Range<usize>, code: i32, halt: &Halt, tally: &mut Tally) {
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
    pub fn fail(&self, range: Range<usize>, code: i32, tally: &mut Tally) {
        self.fail_as(range, par_item { state: PAR_ITEM_FAILED, code }, tally);
    }

    /// Counts items that ended in any other way than by returning 0.
    pub fn fail_as(&self, range: Range<usize>, item: par_item, tally: &mut Tally) {
        tally.fail(range.clone(), item);
        self.items.set(range, item);
    }
}
