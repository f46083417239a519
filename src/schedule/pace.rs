//! How large the hand-outs of one worker are.

use super::{MICRO, NANO, Picos};

/// A hand-out is at most so much work: long against the cost of taking one and against a page or two of memory, short
/// against the patience of whoever waits for the last one.
pub(super) const MOST: Picos = 50 * MICRO;

/// A hand-out is at least so much work, as far as known: taking one that another worker has just taken from costs a tenth.
const LEAST: Picos = MICRO;

/// A hand-out may be so many times as large as the one before it: one cheap unit says little of the next.
const GROWTH: usize = 8;

/// So much work, and so many units, may lie between two looks whether to stop: what units cost may change at any of them.
const BETWEEN_LOOKS: Picos = 500 * NANO;
const MOST_BETWEEN_LOOKS: usize = 256;

/// A hand-out that takes longer than expected by less than this may have taken what was expected: a look at the clock and
/// the first touch of memory cost as much as several short units. What it took is believed all the same.
pub const SLACK: Picos = 100 * NANO;

/// How many units a worker takes at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What a unit took in the last hand-out; before the first, what is expected.
    cost: Option<Picos>,
    /// Units of `LEAST` and `MOST` of work.
    least: usize,
    most: usize,
    stride: usize,
    /// How many units of the line it is at nobody had taken when this worker last took some.
    pub(super) left: usize,
    /// How many lines it has found empty.
    pub(super) emptied: usize,
}

impl Pace {
    /// Begins with one unit. If that bears out what is `expected` of a unit, the next hand-out is of full size.
    pub fn new(expected: Option<Picos>) -> Pace {
        Pace { cost: expected, least: 1, most: 1, stride: 1, left: 0, emptied: 0 }
    }

    /// Begins with a hand-out of full size. `left` is how many units its line has, about.
    pub(super) fn trust(&mut self, left: usize) {
        if let Some(cost) = self.cost {
            self.learn(1, cost);
            self.left = left;
        }
    }

    /// Goes to another line. What units cost there is not known, so it begins with the least that is worth a hand-out.
    pub(super) fn move_on(&mut self) {
        self.emptied += 1;
        self.most = self.least;
    }

    /// How many units to take when `fair` is a fair share of what is left; at least 1.
    pub fn size(&self, fair: usize) -> usize {
        fair.max(self.least).min(self.most)
    }

    /// Learns from a hand-out of `units` that took `time`, and answers what one took.
    pub fn learn(&mut self, units: usize, time: Picos) -> Picos {
        let cost = (time / units as u64).max(1);
        let borne_out = self.expects(units, time);
        let cap = if borne_out { usize::MAX } else { units.saturating_mul(GROWTH) };
        let shortest = self.cost.filter(|_| borne_out).map_or(cost, |before| before.min(cost));
        self.stride = ((BETWEEN_LOOKS / shortest) as usize).clamp(1, cap.min(MOST_BETWEEN_LOOKS));
        self.cost = Some(cost);
        let worth = |work: Picos| match time < units as u64 {
            // Units of less than a picosecond: whole ranges that a callback settles at once.
            true => units.saturating_mul((work / time.max(1)) as usize),
            false => (work / cost) as usize,
        };
        self.least = worth(LEAST).clamp(1, cap);
        self.most = worth(MOST).clamp(1, cap);
        cost
    }

    /// Whether so many units took what was expected of them.
    pub fn expects(&self, units: usize, time: Picos) -> bool {
        self.cost.is_some_and(|cost| time <= cost.saturating_mul(2).saturating_mul(units as u64).saturating_add(SLACK))
    }

    /// How much work so many units are, as far as its own tell.
    pub fn work_of(&self, units: usize) -> Picos {
        self.cost.unwrap_or(0).saturating_mul(units as u64)
    }

    /// How many units may start between two looks whether to stop. Every unit is looked before where they are long; where
    /// they are short, a look takes as long as one of them.
    pub fn stride(&self) -> usize {
        self.stride
    }
}
