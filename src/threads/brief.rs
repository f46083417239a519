//! Short calls: the caller alone, for as long as the clock bears out what the site table promised.
//!
//! No lock, no allocation, no system call, and nothing that another thread could see. Two units run before the first look
//! at the clock, and a microsecond's worth, as promised, between later ones. So a wrong promise is noticed within two units
//! or, if the first two kept it, within a microsecond's worth of units. Where somebody may stop the call, or looks on, there is
//! a look after every unit: at most one then takes longer than promised before the call is opened.
//!
//! A look at the clock costs as much as ten trivial items, so where short calls come closely on one another a call is taken
//! to begin at the last look of the one before it, and does not look when it ends. If that makes the time since then seem
//! long, the cause may be these units, the rest of the call before, or a pause between the two: nothing is believed of it,
//! the next unit is timed by itself, and the next call looks when it begins and when it ends; so does every 64th.

use super::here::{Here, as_caller};
use super::sites::Site;
use super::solo::Solo;
use super::ticks::Tick;
use crate::job::{Halt, Job, Part, Work};
use crate::schedule::{MICRO, Picos};
use std::ops::Range;

/// Less work than this is not worth a helper, not even one that is awake: from here on the two are faster than one alone, also
/// where their CPUs are far from each other. (Where they are near, that begins at half as much.)
pub const SHARE_FROM: Picos = 4 * MICRO;

/// Units that take longer than expected by this are not what was expected.
const SURPRISE: Picos = MICRO;

/// So many units run before the first look at the clock.
const FIRST: usize = 2;

/// So many calls in a row may guess when they begin.
const GUESSES: u32 = 63;

/// At most so much expected work lies between two looks.
const SPAN: Picos = MICRO;

/// What a unit of a call is expected to take, if a call of so many is known to be short.
#[inline]
pub fn expected(site: &Site, units: usize) -> Option<Picos> {
    site.cost().filter(|cost| cost.saturating_mul(units as u64) < SHARE_FROM)
}

/// How far a short call has come.
#[derive(Default)]
pub struct Stretch {
    /// How many units have run.
    pub next: usize,
    /// What they took, as far as it is known.
    pub time: Picos,
    /// Whether the last of them told the call to stop.
    pub stopped: bool,
}

/// Runs a call without options as far as it is known to be short and turns out to be. A failed item stops it.
#[inline(always)]
pub fn run_plain(work: &Work, n: usize) -> Stretch {
    match work {
        Work::Map(map) => run_units(map.function as usize, n, |mut units| units.all(|i| map.call(i) == 0)),
        Work::Bytes(bytes) => run_units(bytes.function as usize, n, |mut units| units.all(|i| bytes.call(i) == 0)),
        Work::For(range) => run_units(range.function as usize, n, |units| range.call(units) == 0),
        _ => Stretch::default(),
    }
}

#[inline(always)]
fn run_units(function: usize, n: usize, mut run: impl FnMut(Range<usize>) -> bool) -> Stretch {
    if n == 1 {
        // Nothing to steer, and nothing to learn that would help a longer call.
        let stopped = !as_caller(|_| run(0..1));
        return Stretch { next: 1, time: 0, stopped };
    }
    let site = Site::of(function, n);
    match expected(&site, n) {
        Some(cost) if n > 0 => as_caller(|here| {
            let begin = if here.guesses.get() > 0 { Begin::Guessed } else { Begin::look(here) };
            steer(here, begin, Sizes::OF_PLAIN, n, cost, &site, run)
        }),
        _ => Stretch::default(),
    }
}

/// How many units run between two looks at the clock, beside what the time says.
#[derive(Clone, Copy)]
pub struct Sizes {
    least: usize,
    most: usize,
}

impl Sizes {
    const OF_PLAIN: Sizes = Sizes { least: 1, most: usize::MAX };

    /// `interruptible`: somebody may stop the call or looks on, so that no unit is begun unseen.
    pub fn of(grain: usize, interruptible: bool) -> Sizes {
        Sizes { least: grain, most: if interruptible { grain } else { usize::MAX } }
    }

    fn first(self) -> usize {
        FIRST.max(self.least).min(self.most)
    }
}

/// Runs units of a job that are `expected` to take so long each, as far as the clock bears that out.
#[inline]
pub fn run_job(job: &Job, halt: &Halt, sizes: Sizes, expected: Picos, site: &Site, solo: &mut Solo) {
    let stretch = as_caller(|here| {
        steer(here, Begin::look(here), sizes, job.units(), expected, site, |units| {
            job.run(Part { units, stride: sizes.most.min(16) }, halt, &mut solo.tally);
            !halt.stops()
        })
    });
    (solo.next, solo.time) = (stretch.next, stretch.time);
}

/// When a call is taken to begin.
#[derive(Clone, Copy)]
enum Begin {
    At(Tick),
    /// At the last look of the call before.
    Guessed,
}

impl Begin {
    fn look(here: &Here) -> Begin {
        let now = Tick::now();
        let hot = now.since(here.last_look.get()) < SURPRISE + 2 * here.unseen.get();
        here.guesses.set(if hot { GUESSES } else { 0 });
        Begin::At(now)
    }
}

/// Has `run` run one stretch of units after the other until it says to stop, they take too long, or all have run.
#[inline(always)]
fn steer(
    here: &Here,
    begin: Begin,
    sizes: Sizes,
    units: usize,
    expected: Picos,
    site: &Site,
    mut run: impl FnMut(Range<usize>) -> bool,
) -> Stretch {
    let (mut start, mut guessed, mut slack) = match begin {
        Begin::At(start) => (start, false, SURPRISE),
        Begin::Guessed => {
            here.guesses.set(here.guesses.get() - 1);
            (here.last_look.get(), true, SURPRISE + 2 * here.unseen.get())
        }
    };
    let (mut next, mut timed_from) = (0, 0);
    let mut size = sizes.first();
    loop {
        let end = next + size.min(units - next);
        let stopped = !run(next..end);
        next = end;
        let now = Tick::now();
        here.last_look.set(now);
        here.unseen.set(0);
        let time = now.since(start);
        let timed = next - timed_from;
        let as_promised = time <= slack + 2 * expected * timed as u64;
        if stopped || next == units || !as_promised && !guessed {
            if !guessed && next == units {
                site.confirm(expected * timed as u64, time, timed);
            }
            if !as_promised {
                here.guesses.set(0);
                return Stretch { next, time: (time / timed as u64).saturating_mul(next as u64), stopped };
            }
            return Stretch { next, time, stopped };
        }
        if !as_promised {
            here.guesses.set(0);
            (guessed, start, slack, timed_from, size) = (false, now, SURPRISE, next, sizes.least);
            continue;
        }
        size = units - next;
        let rest = expected * size as u64;
        if rest > SPAN {
            size = (SPAN / expected).max(1) as usize;
            size = size.max(sizes.least);
        } else if guessed {
            here.unseen.set(rest);
            return Stretch { next: units, time, stopped: !run(next..units) };
        }
        size = size.min(sizes.most);
    }
}
