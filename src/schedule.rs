//! Who takes which items next.
//!
//! A call's units are a line that its workers take hand-outs from the front of, each hand-out by one atomic step, so that
//! every unit is taken exactly once whatever the workers do. How many units a hand-out has is each worker's own `Pace`:
//! it starts with one unit, since nothing is known of what a unit costs, and follows the measured time towards
//! `TARGET_TICKS` of work a hand-out. A hand-out is never more than a fair share of what is left, so that a worker that
//! comes last finds something, and expensive units at the end are handed out one by one.
//!
//! Nothing here knows of threads or clocks: the time is passed in. The whole of it is model-checked with loom.
//!
//! The rule is guided self-scheduling (Polychronopoulos and Kuck, 1987) capped by time: guided hand-outs alone start with
//! the largest, which stalls the end when the expensive units come first.

use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use std::ops::Range;

/// How much work a hand-out should be: long against the cost of taking one, short against the patience of whoever waits.
pub const TARGET_TICKS: u64 = 10_000;

/// A hand-out may be so many times as large as the one before it: one cheap unit says little of the next.
const GROWTH: usize = 8;

/// A worker takes at most a share of what is left that leaves so many hand-outs to each.
const HAND_OUTS_LEFT: usize = 2;

/// The line of units that are not handed out yet.
#[derive(Debug)]
pub struct Schedule {
    next: AtomicUsize,
    units: usize,
    grain: usize,
    /// What is left is divided by this to get the largest hand-out.
    shares: usize,
}

impl Schedule {
    /// `grain` is the fewest units taken at once, and at least 1; so is `workers`.
    pub fn new(units: usize, grain: usize, workers: usize) -> Schedule {
        // One worker alone has nobody to leave anything to.
        let shares = if workers == 1 { 1 } else { workers.saturating_mul(HAND_OUTS_LEFT) };
        Schedule { next: AtomicUsize::new(0), units, grain, shares }
    }

    /// Takes the next hand-out; None when nothing is left.
    pub fn take(&self, pace: &Pace) -> Option<Range<usize>> {
        // Relaxed: a hand-out is a number; what the units are was published to the worker when it joined the call.
        let mut begin = self.next.load(Relaxed);
        loop {
            let left = self.units - begin;
            if left == 0 {
                return None;
            }
            let end = begin + self.size(pace, left);
            match self.next.compare_exchange_weak(begin, end, Relaxed, Relaxed) {
                Ok(_) => return Some(begin..end),
                Err(now) => begin = now,
            }
        }
    }

    /// How many units nobody has taken.
    pub fn left(&self) -> usize {
        self.units - self.next.load(Relaxed)
    }

    fn size(&self, pace: &Pace, left: usize) -> usize {
        let fair = (left / self.shares).max(1);
        pace.units.min(fair).max(self.grain).min(left)
    }
}

/// How many units a worker takes at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    units: usize,
}

impl Pace {
    pub fn new() -> Pace {
        Pace { units: 1 }
    }

    /// Learns from a hand-out of `units` that took `ticks`.
    pub fn learn(&mut self, units: usize, ticks: u64) {
        let ideal = units as u128 * u128::from(TARGET_TICKS) / u128::from(ticks.max(1));
        let most = units.saturating_mul(GROWTH);
        self.units = usize::try_from(ideal).unwrap_or(most).clamp(1, most);
    }
}
