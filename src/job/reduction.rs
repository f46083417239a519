//! A reduce with the same bits at any worker count: ranges that depend on n and grain alone, combined from left to right.
//!
//! A worker that has folded a range leaves the result here. Whoever finds the next result in line combines it, and those
//! behind it that are there already, while the others go on folding: `combine` runs in one worker at a time, and as a
//! rule only a few results are kept.

use super::ReduceWork;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

const MOST_RANGES: usize = 1024;
/// A cache line, and the widest vector there is.
const ALIGNMENT: usize = 64;

#[derive(Debug)]
pub struct Reduction {
    n: usize,
    ranges: usize,
    line: Mutex<Line>,
}

/// Results that wait for their turn.
#[derive(Debug)]
struct Line {
    /// The range whose result is combined next.
    next: usize,
    /// Results of later ranges; None where the range failed.
    waiting: BTreeMap<usize, Option<Copy>>,
    /// All results so far, combined; taken out by the worker that combines.
    total: Option<Copy>,
    combining: bool,
    spare: Vec<Copy>,
}

impl Line {
    fn empty() -> Line {
        Line { next: 0, waiting: BTreeMap::new(), total: None, combining: false, spare: Vec::new() }
    }
}

impl Reduction {
    pub fn new(n: usize, grain: usize) -> Reduction {
        let ranges = (n / grain.max(1)).clamp(1, MOST_RANGES);
        Reduction { n, ranges, line: Mutex::new(Line::empty()) }
    }

    /// One that cuts the items alike, without any results.
    pub fn with_same_ranges(&self) -> Reduction {
        Reduction { n: self.n, ranges: self.ranges, line: Mutex::new(Line::empty()) }
    }

    /// A copy of a result that was folded elsewhere. None: no memory.
    pub fn copy_of(result: &[u8]) -> Option<Copy> {
        let mut copy = Copy::new(result.len())?;
        copy.fill(result.as_ptr());
        Some(copy)
    }

    pub fn ranges(&self) -> usize {
        self.ranges
    }

    /// The items of range `r`. Lengths differ by one at most, the longer ones first.
    pub fn range(&self, r: usize) -> Range<usize> {
        let (each, longer) = (self.n / self.ranges, self.n % self.ranges);
        let begin = |r: usize| r * each + r.min(longer);
        begin(r)..begin(r + 1)
    }

    /// Folds range `r` into a copy of the identity. None when there is no memory for one.
    pub fn fold(&self, r: usize, reduce: &ReduceWork) -> Option<(Copy, i32)> {
        let spare = self.lock().spare.pop();
        let mut copy = spare.or_else(|| Copy::new(reduce.acc_size))?;
        copy.fill(reduce.acc);
        let code = reduce.call_fold(self.range(r), copy.memory);
        Some((copy, code))
    }

    /// Puts the result of range `r` in line (None where it failed), and combines what is next in line unless another
    /// worker does. `fail` hears of each range that could not be added, and says whether to go on.
    pub fn place(
        &self,
        r: usize,
        result: Option<Copy>,
        reduce: &ReduceWork,
        mut fail: impl FnMut(Range<usize>, i32) -> bool,
    ) -> Result<(), OutOfMemory> {
        let mut line = self.lock();
        line.waiting.insert(r, result);
        if line.combining {
            return Ok(());
        }
        line.combining = true;
        let total = match line.total.take() {
            Some(total) => total,
            None => {
                let mut total = Copy::new(reduce.acc_size).ok_or(OutOfMemory)?;
                total.fill(reduce.acc);
                total
            }
        };
        while let Some(result) = {
            let next = line.next;
            line.waiting.remove(&next)
        } {
            let added = line.next;
            line.next += 1;
            let Some(copy) = result else { continue };
            drop(line);
            let code = reduce.call_combine(total.memory, copy.memory);
            let goes_on = code == 0 || fail(self.range(added), code);
            line = self.lock();
            line.spare.push(copy);
            if !goes_on {
                break;
            }
        }
        line.total = Some(total);
        line.combining = false;
        Ok(())
    }

    /// Writes the result over the identity. All ranges have been combined.
    pub fn deliver(&self, reduce: &ReduceWork) {
        if let Some(total) = &self.lock().total {
            total.copy_to(reduce.acc);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There was no memory for a copy of the accumulator.
#[derive(Debug)]
pub struct OutOfMemory;

/// A copy of the accumulator, aligned to 64 bytes.
#[derive(Debug)]
pub struct Copy {
    memory: *mut u8,
    layout: Layout,
}

// SAFETY: a copy is plain memory of its own.
unsafe impl Send for Copy {}

impl Copy {
    fn new(size: usize) -> Option<Copy> {
        let layout = Layout::from_size_align(size, ALIGNMENT).ok()?;
        // SAFETY: `size` is not 0, which `capi` has checked.
        let memory = unsafe { alloc(layout) };
        (!memory.is_null()).then_some(Copy { memory, layout })
    }

    fn fill(&mut self, identity: *const u8) {
        // SAFETY: the caller's accumulator has as many bytes and nobody writes it before the end.
        unsafe { ptr::copy_nonoverlapping(identity, self.memory, self.layout.size()) };
    }

    fn copy_to(&self, acc: *mut u8) {
        // SAFETY: the caller's accumulator has as many bytes.
        unsafe { ptr::copy_nonoverlapping(self.memory, acc, self.layout.size()) };
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: `memory` came from `alloc` with this layout.
        unsafe { dealloc(self.memory, self.layout) };
    }
}
