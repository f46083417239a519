//! What came of a call: one worker's counts, and the sum that the caller is told.

use super::Cause;
use crate::abi::status::par_item;
use std::ops::Range;

/// Counts of some items: one worker's hand-out, or all of a call.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub done: usize,
    pub failed: usize,
    /// The lowest failed index that is known, and its outcome.
    pub first: Option<(usize, par_item)>,
}

impl Tally {
    pub fn fail(&mut self, range: Range<usize>, item: par_item) {
        self.failed += range.len();
        self.lower((range.start, item));
    }

    pub fn add(&mut self, other: &Tally) {
        self.done += other.done;
        self.failed += other.failed;
        if let Some(first) = other.first {
            self.lower(first);
        }
    }

    fn lower(&mut self, candidate: (usize, par_item)) {
        if self.first.is_none_or(|(index, _)| candidate.0 < index) {
            self.first = Some(candidate);
        }
    }
}

/// What an executor answers.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Why not everything ran; None when it did.
    pub cause: Option<Cause>,
    pub done: usize,
    pub failed: usize,
    pub first: Option<(usize, par_item)>,
    pub workers: usize,
    pub busy_ns: u64,
    /// The errno of a refusal of the system, or 0.
    pub os_error: i32,
    /// What the caller should know though the call went on.
    pub remark: Option<String>,
}
