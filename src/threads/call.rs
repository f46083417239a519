//! One call that may have helpers: what its workers share.

use super::hooks::Door;
use super::solo::Solo;
use crate::fork::process_token;
use crate::job::{Cause, Halt, Job, Tally};
use crate::options::Options;
use crate::schedule::{Lines, MICRO, Pace, Picos, Schedule};
use std::mem::offset_of;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What a call of so much work touches is no longer in a worker's cache when the next one begins.
const CACHED: Picos = 4_000 * MICRO;

/// Lives on the caller's stack while the call runs; helpers reach it through the board. In this order, so that a helper can
/// fetch what it needs at once, and cut by who writes: a line that two CPUs write travels between them.
#[derive(Debug)]
#[repr(C)]
pub struct Call<'a> {
    pub job: &'a Job,
    pub halt: &'a Halt<'a>,
    pub schedule: Schedule<'a>,
    pub most_workers: usize,
    /// What a unit is expected to take.
    pub expected: Option<Picos>,
    pub deadline: Option<Instant>,
    /// Whether the caller looks on and wants fresh counts.
    pub watched: bool,
    /// The process that made the call. Another one has it in memory only by a fork inside a callback.
    token: u64,
    pub door: Option<Door>,
    pub seen: Seen,
    pub by_helpers: Counts,
    pub by_caller: Counts,
}

/// A hand-out that nobody else has had a chance at.
#[derive(Debug)]
pub struct First {
    pub hand_out: Option<Range<usize>>,
    pub pace: Pace,
}

/// What the units that have run tell of those to come.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Seen {
    /// Picoseconds that a unit took of late, for those who decide whether to wake another helper; 0 before it is known.
    pub unit_cost: AtomicU64,
    /// One more than the CPU that the caller was on when it woke a helper; 0: it has not, or that is not known.
    pub woken_from: AtomicUsize,
    /// Whether some units have taken what is expected.
    pub borne_out: AtomicBool,
}

/// What some of the workers counted.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counts {
    next_index: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicUsize,
    pub workers: AtomicUsize,
    pub busy: AtomicU64,
    first_failure: Mutex<Option<Tally>>,
}

impl Counts {
    fn of(solo: &Solo) -> Counts {
        let Tally { done, failed, .. } = solo.tally;
        Counts {
            next_index: AtomicUsize::new(0),
            done: AtomicUsize::new(done),
            failed: AtomicUsize::new(failed),
            workers: AtomicUsize::new(0),
            busy: AtomicU64::new(solo.time),
            first_failure: Mutex::new((failed > 0).then(|| solo.tally.clone())),
        }
    }

    /// Adds what a worker counted since it last did so.
    pub fn add(&self, tally: &mut Tally) {
        self.done.fetch_add(tally.done, Relaxed);
        if tally.failed > 0 {
            self.failed.fetch_add(tally.failed, Relaxed);
            let mut first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_default().add(tally);
        }
        *tally = Tally::default();
    }

    fn tally(&self) -> Tally {
        let (done, failed) = (self.done.load(Relaxed), self.failed.load(Relaxed));
        if failed == 0 {
            return Tally { done, ..Tally::default() };
        }
        let first = self.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
        Tally { done, failed, first: first.as_ref().and_then(|tally| tally.first) }
    }
}

impl<'a> Call<'a> {
    /// So many bytes of a call are for helpers.
    pub const FOR_HELPERS: usize = offset_of!(Call, by_caller);

    /// The call goes on where `solo` ended.
    pub fn new(
        job: &'a Job,
        halt: &'a Halt<'a>,
        options: &Options<'a>,
        workers: usize,
        expected: Option<Picos>,
        solo: &Solo,
        lines: &'a mut Lines,
    ) -> Call<'a> {
        let (left, grain) = (solo.next..job.units(), job.unit_grain(options.grain));
        let watched = options.poll.is_some();
        let borne_out = solo.next > 0;
        let is_brief = expected.is_some_and(|cost| cost.saturating_mul(left.len() as u64) < CACHED);
        let homes = is_brief && !job.in_order();
        Call {
            job,
            halt,
            schedule: match homes {
                true => Schedule::with_homes(lines, left, grain, workers),
                false => Schedule::in_order(lines, left, grain, workers),
            },
            most_workers: workers,
            expected,
            // A deadline beyond what the clock can tell is none.
            deadline: options.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            watched,
            token: process_token(),
            door: options.hooks.map(Door::new),
            seen: Seen { borne_out: AtomicBool::new(borne_out), ..Seen::default() },
            // A caller that does not look on is worker 0.
            by_helpers: Counts { next_index: AtomicUsize::new(usize::from(!watched)), ..Counts::default() },
            by_caller: Counts::of(solo),
        }
    }

    /// How a worker that comes now begins.
    pub fn pace(&self) -> Pace {
        let mut pace = Pace::new(self.expected);
        if self.seen.borne_out.load(Relaxed) {
            self.schedule.trust(&mut pace);
        }
        pace
    }

    /// The caller's first hand-out, before any helper can see the call.
    pub fn take_first(&mut self) -> First {
        let mut pace = self.pace();
        First { hand_out: self.schedule.take_first(&mut pace), pace }
    }

    /// An index for one more helper.
    pub fn new_index(&self) -> usize {
        self.by_helpers.next_index.fetch_add(1, Relaxed)
    }

    /// An index for the caller.
    pub fn caller_index(&self) -> usize {
        if self.watched { self.new_index() } else { 0 }
    }

    /// How much work nobody has taken, as far as known; the largest there is while nothing is known.
    pub fn work_left(&self) -> Picos {
        match self.seen.unit_cost.load(Relaxed) {
            0 => self.expected.unwrap_or(Picos::MAX),
            cost => cost,
        }
        .saturating_mul(self.schedule.left() as u64)
    }

    /// Whether no hand-out is left to be taken.
    pub fn exhausted(&self) -> bool {
        self.schedule.left() == 0 || self.halt.stops()
    }

    /// Whether a hand-out of a refused worker waits to be taken by another.
    pub fn has_returned(&self) -> bool {
        !self.halt.stops() && self.door.as_ref().is_some_and(Door::has_returned)
    }

    /// Stops the call if its time is over.
    pub fn check_deadline(&self) {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.halt.raise(Cause::TimedOut);
        }
    }

    /// Whether this process is a child that was forked inside a callback of the call, and came back out of it.
    pub fn forked(&self) -> bool {
        process_token() != self.token
    }

    /// Items done and failed by now; all of them once every worker has left.
    pub fn tally(&self) -> Tally {
        let mut all = self.by_caller.tally();
        all.add(&self.by_helpers.tally());
        all
    }

    pub fn workers(&self) -> usize {
        self.by_caller.workers.load(Relaxed) + self.by_helpers.workers.load(Relaxed)
    }

    pub fn busy(&self) -> Picos {
        self.by_caller.busy.load(Relaxed) + self.by_helpers.busy.load(Relaxed)
    }
}
