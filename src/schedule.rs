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

    /// How many units may start between two looks whether to stop: a small part of a hand-out, so that looking costs
    /// nothing where units are short, and every unit is looked before where they are long.
    pub fn stride(&self) -> usize {
        (self.units / 32).clamp(1, 16)
    }

    /// Learns from a hand-out of `units` that took `ticks`.
    pub fn learn(&mut self, units: usize, ticks: u64) {
        let ideal = units as u128 * u128::from(TARGET_TICKS) / u128::from(ticks.max(1));
        let most = units.saturating_mul(GROWTH);
        self.units = usize::try_from(ideal).unwrap_or(most).clamp(1, most);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::{Pace, Schedule};
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn every_unit_is_taken_exactly_once() {
        for (units, grain) in [(1, 1), (3, 1), (5, 2), (6, 4)] {
            loom::model(move || {
                let schedule = Arc::new(Schedule::new(units, grain, 3));
                let take_all = |ticks: u64| {
                    let schedule = schedule.clone();
                    move || {
                        let mut pace = Pace::new();
                        let mut taken = Vec::new();
                        while let Some(part) = schedule.take(&pace) {
                            pace.learn(part.len(), ticks);
                            taken.extend(part);
                        }
                        taken
                    }
                };
                let others = [thread::spawn(take_all(1)), thread::spawn(take_all(u64::MAX))];
                let mut all = take_all(100)();
                others.into_iter().for_each(|other| all.extend(other.join().unwrap()));
                all.sort_unstable();
                assert_eq!(all, Vec::from_iter(0..units));
            });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Pace, Schedule, TARGET_TICKS};

    /// A made-up run: the worker whose clock is behind takes next. Answers the hand-outs and when each worker ended.
    fn run(units: usize, grain: usize, workers: usize, cost: impl Fn(usize) -> u64) -> (Vec<usize>, Vec<u64>) {
        let schedule = Schedule::new(units, grain, workers);
        let mut states = vec![(0u64, Pace::new(), true); workers];
        let (mut expected, mut sizes) = (0, Vec::new());
        while let Some((clock, pace, working)) = states.iter_mut().filter(|state| state.2).min_by_key(|state| state.0) {
            match schedule.take(pace) {
                None => *working = false,
                Some(part) => {
                    assert_eq!(part.start, expected, "hand-outs follow each other");
                    expected = part.end;
                    sizes.push(part.len());
                    let ticks = part.clone().fold(0u64, |sum, i| sum.saturating_add(cost(i)));
                    pace.learn(part.len(), ticks);
                    *clock = clock.saturating_add(ticks);
                }
            }
        }
        assert_eq!(expected, units, "nothing is left");
        (sizes, states.iter().map(|state| state.0).collect())
    }

    #[test]
    fn every_unit_is_taken_once_whatever_the_size_grain_workers_and_clock() {
        let mut random = 1u64;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) % below
        };
        for _ in 0..2000 {
            let (units, grain, workers) = (next(5000) as usize, 1 + next(300) as usize, 1 + next(70) as usize);
            let (seed, spread) = (next(1000), 1 + next(1_000_000));
            let (sizes, _) = run(units, grain, workers, |i| (i as u64 * 7919 + seed) % spread);
            let short = sizes.iter().rev().skip(1).filter(|&&size| size < grain).count();
            assert_eq!(short, 0, "only the last hand-out may be shorter than the grain {grain}: {sizes:?}");
        }
    }

    #[test]
    fn a_range_as_long_as_a_size_can_be_is_handed_out() {
        let schedule = Schedule::new(usize::MAX, 1, 3);
        let (mut pace, mut expected) = (Pace::new(), 0);
        while let Some(part) = schedule.take(&pace) {
            assert_eq!(part.start, expected);
            expected = part.end;
            pace.learn(part.len(), 1);
        }
        assert_eq!(expected, usize::MAX);
    }

    #[test]
    fn six_items_of_very_different_cost_spread() {
        let costs = [89, 55, 34, 21, 13, 8].map(|cost| cost * 1_000_000);
        let (sizes, ends) = run(6, 1, 2, |i| costs[i]);
        assert_eq!(sizes, [1; 6]);
        assert!(ends.into_iter().max().unwrap() <= costs.iter().sum::<u64>() * 51 / 100);
    }

    #[test]
    fn tiny_items_are_handed_out_by_the_thousand() {
        let (sizes, _) = run(1_000_000, 1, 2, |_| 2);
        assert!(sizes.len() < 400, "{} hand-outs", sizes.len());
    }

    #[test]
    fn costs_that_rise_or_fall_do_not_stall_the_end() {
        let total: u64 = (0..10_000u64).sum::<u64>() * 100;
        for rising in [true, false] {
            let cost = |i: usize| 100 * if rising { i as u64 } else { 9_999 - i as u64 };
            let (_, ends) = run(10_000, 1, 4, cost);
            assert!(ends.into_iter().max().unwrap() < total / 4 + 40 * TARGET_TICKS);
        }
    }
}
