//! One line of units, which its workers take hand-outs from the front of.

use super::pace::Pace;
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use std::ops::Range;

/// A worker takes at most a share of what is left that leaves so many hand-outs to each.
const HAND_OUTS_LEFT: usize = 2;

/// On a line of so many units, all workers together cannot move its front so far beyond the end that it wraps: each moves
/// it there by no more than all units, and a few times at most.
const FAR_FROM_WRAPPING: usize = usize::MAX >> 16;

/// Units that are not handed out yet. Every worker writes it, so it has cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub struct Line {
    next: AtomicUsize,
    end: usize,
    grain: usize,
    /// What is left is divided by this to get the largest hand-out.
    shares: usize,
}

impl Line {
    /// Hands out `units` to so many `workers`. `grain` is the fewest units taken at once, and at least 1; so is `workers`.
    pub fn new(units: Range<usize>, grain: usize, workers: usize) -> Line {
        // One worker alone has nobody to leave anything to.
        let shares = if workers == 1 { 1 } else { workers.saturating_mul(HAND_OUTS_LEFT) };
        Line { next: AtomicUsize::new(units.start), end: units.end, grain, shares }
    }

    /// A part of what all workers have to do, the home of so many of them.
    pub fn home(units: Range<usize>, grain: usize, workers: usize) -> Line {
        Line { shares: workers.saturating_mul(HAND_OUTS_LEFT), ..Line::new(units, grain, workers) }
    }

    /// Takes the next hand-out; None when nothing is left.
    pub fn take(&self, pace: &mut Pace) -> Option<Range<usize>> {
        // What is left is what this worker last saw: to look again would fetch the line twice, once to read, once to write.
        let size = self.size(pace, self.shares);
        let begin = self.advance(size);
        if begin >= self.end {
            pace.left = 0;
            return None;
        }
        let end = begin + size.min(self.end - begin);
        pace.left = self.end - end;
        Some(begin..end)
    }

    /// The same for a worker that the line was not cut for.
    pub fn take_as_guest(&self, pace: &mut Pace) -> Option<Range<usize>> {
        pace.left = self.left();
        if pace.left == 0 {
            return None;
        }
        // Those for whom it was cut take part.
        let size = self.size(pace, self.shares + HAND_OUTS_LEFT);
        let begin = self.advance(size);
        (begin < self.end).then(|| begin..begin + size.min(self.end - begin))
    }

    /// The same before anyone else can see the line: for that, nothing has to be atomic.
    pub fn take_first(&mut self, pace: &mut Pace) -> Option<Range<usize>> {
        pace.left = self.left();
        if pace.left == 0 {
            return None;
        }
        let begin = self.end - pace.left;
        let end = begin + self.size(pace, self.shares).min(pace.left);
        self.next.store(end, Relaxed);
        pace.left = self.end - end;
        Some(begin..end)
    }

    fn size(&self, pace: &Pace, shares: usize) -> usize {
        let size = pace.size(pace.left / shares).max(self.grain);
        // Whole grains, so that what is left at the end of a line that others follow is one, too.
        if self.grain == 1 { size } else { size - size % self.grain }
    }

    /// Moves the front of the line, if need be beyond its end, and answers where it was.
    fn advance(&self, size: usize) -> usize {
        // Relaxed: a hand-out is a number; what the units are was published to the worker when it joined the call.
        if self.end <= FAR_FROM_WRAPPING {
            return self.next.fetch_add(size.min(self.end), Relaxed);
        }
        let taken = self
            .next
            .fetch_update(Relaxed, Relaxed, |begin| (begin < self.end).then(|| begin + size.min(self.end - begin)));
        taken.unwrap_or(self.end)
    }

    /// How many units nobody has taken.
    pub fn left(&self) -> usize {
        self.end.saturating_sub(self.next.load(Relaxed))
    }
}
