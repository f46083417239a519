//! One line of units, which its workers take hand-outs from the front of.

use super::pace::Pace;
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use std::ops::Range;

/// On a line of so many units, all workers together cannot move its front so far beyond the end that it wraps: each moves
/// it there by no more than all units, and a few times at most.
const FAR_FROM_WRAPPING: usize = usize::MAX >> 16;

/// Units that are not handed out yet. Every worker writes it, so it has cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub struct Line {
    next: AtomicUsize,
    end: usize,
}

impl Line {
    pub fn new(units: Range<usize>) -> Line {
        Line { next: AtomicUsize::new(units.start), end: units.end }
    }

    /// Takes the next hand-out: `grain` units at the least, and of what is left no more than a part in so many `shares`. None
    /// when nothing is left.
    pub fn take(&self, grain: usize, shares: usize, pace: &mut Pace) -> Option<Range<usize>> {
        // What is left is what this worker last saw: to look again would fetch the line twice, once to read, once to write.
        let size = pace.size(pace.left / shares).max(grain);
        let begin = self.advance(size);
        if begin >= self.end {
            pace.left = 0;
            return None;
        }
        let end = begin + size.min(self.end - begin);
        pace.left = self.end - end;
        Some(begin..end)
    }

    /// Moves the front of the line, if need be beyond its end, and answers where it was.
    fn advance(&self, size: usize) -> usize {
        // Relaxed: a hand-out is a number; what the units are was published to the worker when it joined the call.
        if self.end <= FAR_FROM_WRAPPING {
            return self.next.fetch_add(size.min(self.end), Relaxed);
        }
        let taken = self.next.fetch_update(Relaxed, Relaxed, |begin| {
            (begin < self.end).then(|| begin + size.min(self.end - begin))
        });
        taken.unwrap_or(self.end)
    }

    /// How many units nobody has taken.
    pub fn left(&self) -> usize {
        self.end.saturating_sub(self.next.load(Relaxed))
    }
}
