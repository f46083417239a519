//! All units of a call: in one line, or in several, each the home of some workers.

use super::line::Line;
use super::pace::Pace;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Where there are more workers, several have the same home.
const MOST_LINES: usize = if cfg!(loom) { 2 } else { 16 };

/// So many units for each worker are worth a line for each.
const UNITS_A_WORKER: usize = 16;

/// Memory for the lines of one call. Only those that it has are ever written: to clear them all would take as long as
/// several short items.
#[derive(Debug)]
pub struct Lines([MaybeUninit<Line>; MOST_LINES]);

impl Lines {
    pub fn new() -> Lines {
        Lines([const { MaybeUninit::uninit() }; MOST_LINES])
    }

    /// The first `count` lines, cut as `cut` says.
    fn make(&mut self, count: usize, mut cut: impl FnMut() -> Line) -> &mut [Line] {
        let lines = &mut self.0[..count];
        for line in &mut *lines {
            line.write(cut());
        }
        // SAFETY: each has just been written, and a line that may not be has the layout of one that is.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), count) }
    }
}

#[derive(Debug)]
pub struct Schedule<'a> {
    lines: &'a mut [Line],
    /// Units of a line, the last excepted.
    length: usize,
}

impl<'a> Schedule<'a> {
    /// Hands out `units` in order. `grain` is the fewest units taken at once, and at least 1; so is `workers`.
    pub fn in_order(lines: &'a mut Lines, units: Range<usize>, grain: usize, workers: usize) -> Schedule<'a> {
        let length = units.len();
        Schedule { lines: lines.make(1, || Line::new(units.clone(), grain, workers)), length }
    }

    /// Hands out `units` so that, call after call, each worker gets about the same ones, if there are enough for that.
    pub fn with_homes(lines: &'a mut Lines, units: Range<usize>, grain: usize, workers: usize) -> Schedule<'a> {
        let count = workers.min(MOST_LINES);
        let enough = grain.saturating_mul(workers).saturating_mul(UNITS_A_WORKER);
        if count == 1 || units.len() < enough {
            return Schedule::in_order(lines, units, grain, workers);
        }
        Schedule::cut(lines, units, grain, workers, count)
    }

    pub(super) fn cut(
        lines: &'a mut Lines,
        units: Range<usize>,
        grain: usize,
        workers: usize,
        count: usize,
    ) -> Schedule<'a> {
        // A hand-out ends at the end of its line: only the last of all may be shorter than the grain.
        let length = units.len().div_ceil(count).next_multiple_of(grain);
        let mut rest = units;
        let lines = lines.make(count, || {
            let start = rest.start;
            rest.start += length.min(rest.len());
            Line::home(start..rest.start, grain, workers.div_ceil(count))
        });
        Schedule { lines, length }
    }

    /// A worker begins with a hand-out of full size, since units have taken what was expected before.
    pub fn trust(&self, pace: &mut Pace) {
        pace.trust(self.length);
    }

    /// Takes a hand-out from line 0, before anyone else can see the schedule.
    pub fn take_first(&mut self, pace: &mut Pace) -> Option<Range<usize>> {
        self.lines[0].take_first(pace)
    }

    /// Takes a hand-out for a worker whose home is line `home` (modulo the lines there are): from there, and when that is
    /// empty, from the lines after it. None when nothing is left.
    pub fn take(&self, home: usize, pace: &mut Pace) -> Option<Range<usize>> {
        while pace.emptied < self.lines.len() {
            let line = self.line_of(home + pace.emptied);
            let taken = if pace.emptied == 0 { line.take(pace) } else { line.take_as_guest(pace) };
            if taken.is_some() {
                return taken;
            }
            pace.move_on();
        }
        None
    }

    /// Where the worker with this home takes from first.
    pub fn line_of(&self, home: usize) -> &Line {
        &self.lines[home % self.lines.len()]
    }

    /// How many units nobody has taken.
    pub fn left(&self) -> usize {
        self.lines.iter().map(Line::left).sum()
    }

    /// The same, as far as a worker knows without asking: it takes lines that it has not been at to be full.
    pub fn left_by(&self, pace: &Pace) -> usize {
        let not_seen = self.lines.len().saturating_sub(pace.emptied + 1);
        pace.left.saturating_add(not_seen.saturating_mul(self.length))
    }
}
