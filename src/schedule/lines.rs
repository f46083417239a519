//! All units of a call: in one line, or in several, each with workers that begin there.

use super::line::Line;
use super::pace::Pace;
use std::ops::Range;

/// Where there are more workers, several begin at the same line.
const MOST_LINES: usize = if cfg!(loom) { 2 } else { 16 };

/// A worker takes at most a share of what is left in a line that leaves so many hand-outs to each who takes from it.
const HAND_OUTS_LEFT: usize = 2;

/// So many units for each worker are worth a line for each.
const UNITS_A_WORKER: usize = 16;

#[derive(Debug)]
pub struct Schedule {
    lines: [Line; MOST_LINES],
    count: usize,
    /// Units of a line, the last excepted.
    length: usize,
    grain: usize,
    /// Into so many shares the workers that begin at a line cut what is left.
    shares: usize,
}

impl Schedule {
    /// Hands out `units` in order. `grain` is the fewest units taken at once, and at least 1; so is `workers`.
    pub fn in_order(units: Range<usize>, grain: usize, workers: usize) -> Schedule {
        Schedule::in_lines(units, grain, workers, 1)
    }

    /// Hands out `units` so that, call after call, each worker gets about the same ones, if there are enough for that.
    pub fn with_homes(units: Range<usize>, grain: usize, workers: usize) -> Schedule {
        let enough = units.len() / grain >= UNITS_A_WORKER.saturating_mul(workers);
        Schedule::in_lines(units, grain, workers, if enough { workers.min(MOST_LINES) } else { 1 })
    }

    fn in_lines(units: Range<usize>, grain: usize, workers: usize, count: usize) -> Schedule {
        // A hand-out ends at the end of its line: only the last of all may be shorter than the grain.
        let length = units.len().div_ceil(count).next_multiple_of(grain);
        let start_of = |line: usize| units.start + line.saturating_mul(length).min(units.len());
        let lines = std::array::from_fn(|line| match line < count {
            true => Line::new(start_of(line)..start_of(line + 1)),
            false => Line::new(0..0),
        });
        // One worker alone has nobody to leave anything to.
        let shares = if workers == 1 { 1 } else { workers.div_ceil(count).saturating_mul(HAND_OUTS_LEFT) };
        Schedule { lines, count, length, grain, shares }
    }

    /// A worker that comes later begins with a hand-out of full size, since the units of another took what was expected.
    pub fn trust(&self, pace: &mut Pace) {
        pace.trust(self.length);
    }

    /// Takes a hand-out for a worker whose home is line `home` (modulo the lines there are): from there, and when that is
    /// empty, from the lines after it. None when nothing is left.
    pub fn take(&self, home: usize, pace: &mut Pace) -> Option<Range<usize>> {
        while pace.emptied < self.count {
            let line = &self.lines[(home + pace.emptied) % self.count];
            let taken = match pace.emptied {
                0 => line.take(self.grain, self.shares, pace),
                _ => {
                    pace.left = line.left();
                    // Whoever is at home there takes part.
                    if pace.left == 0 { None } else { line.take(self.grain, self.shares + HAND_OUTS_LEFT, pace) }
                }
            };
            if taken.is_some() {
                return taken;
            }
            pace.emptied += 1;
        }
        None
    }

    /// How many units nobody has taken.
    pub fn left(&self) -> usize {
        self.lines[..self.count].iter().map(Line::left).sum()
    }

    /// The same, as far as a worker knows without asking: it takes lines that it has not been at to be full.
    pub fn left_by(&self, pace: &Pace) -> usize {
        pace.left + self.count.saturating_sub(pace.emptied + 1) * self.length
    }
}
