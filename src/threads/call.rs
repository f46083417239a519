//! One call that may have helpers: what its workers share.

use super::hooks::Door;
use super::solo::Solo;
use crate::fork::process_token;
use crate::job::{Cause, Halt, Job, Tally};
use crate::options::Options;
use crate::schedule::{Picos, Schedule};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Lives on the caller's stack while the call runs; helpers reach it through the board.
#[derive(Debug)]
pub struct Call<'a> {
    pub job: &'a Job,
    pub halt: &'a Halt<'a>,
    pub schedule: Schedule,
    /// What a unit is expected to take.
    pub expected: Option<Picos>,
    pub deadline: Option<Instant>,
    pub door: Option<Door>,
    /// Whether the caller looks on and wants fresh counts.
    pub watched: bool,
    /// The process that made the call. Another one has it in memory only by a fork inside a callback.
    token: u64,
    next_index: AtomicUsize,
    /// Picoseconds that a unit took of late, for those who decide whether to wake another helper; 0 before it is known.
    pub unit_cost: AtomicU64,
    /// Whether some units have taken what was expected.
    pub borne_out: AtomicBool,
    pub done: AtomicUsize,
    pub failed: AtomicUsize,
    /// The rest of the counts is exact when every worker has left.
    pub first_failure: Mutex<Tally>,
    pub workers: AtomicUsize,
    pub busy: AtomicU64,
}

impl<'a> Call<'a> {
    /// The call goes on where `solo` ended.
    pub fn new(
        job: &'a Job,
        halt: &'a Halt<'a>,
        options: &Options<'a>,
        workers: usize,
        expected: Option<Picos>,
        solo: &Solo,
    ) -> Call<'a> {
        let (left, grain) = (solo.next..job.units(), job.unit_grain(options.grain));
        Call {
            job,
            halt,
            schedule: match job.in_order() {
                true => Schedule::in_order(left, grain, workers),
                false => Schedule::with_homes(left, grain, workers),
            },
            expected,
            // A deadline beyond what the clock can tell is none.
            deadline: options.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            door: options.hooks.map(Door::new),
            watched: options.poll.is_some(),
            token: process_token(),
            next_index: AtomicUsize::new(0),
            unit_cost: AtomicU64::new(0),
            borne_out: AtomicBool::new(false),
            done: AtomicUsize::new(solo.tally.done),
            failed: AtomicUsize::new(solo.tally.failed),
            first_failure: Mutex::new(solo.tally.clone()),
            workers: AtomicUsize::new(0),
            busy: AtomicU64::new(solo.time),
        }
    }

    /// An index for one more worker.
    pub fn new_index(&self) -> usize {
        self.next_index.fetch_add(1, Relaxed)
    }

    /// How much work nobody has taken, as far as known; the largest there is while nothing is known.
    pub fn work_left(&self) -> Picos {
        match self.unit_cost.load(Relaxed) {
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

    /// Adds what a worker counted since it last did so.
    pub fn count(&self, tally: &mut Tally) {
        self.done.fetch_add(tally.done, Relaxed);
        if tally.failed > 0 {
            self.failed.fetch_add(tally.failed, Relaxed);
            self.first_failure.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
        }
        *tally = Tally::default();
    }
}
