//! One call: what its workers share.

use super::hooks::Door;
use crate::fork::process_token;
use crate::job::{Cause, Halt, Job, Tally};
use crate::options::Options;
use crate::schedule::Schedule;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Lives on the caller's stack while the call runs; helpers reach it through the board.
#[derive(Debug)]
pub struct Call<'a> {
    pub job: &'a Job,
    pub halt: Halt<'a>,
    pub schedule: Schedule,
    pub started: Instant,
    pub deadline: Option<Instant>,
    pub door: Option<Door>,
    /// The process that made the call. Another one has it in memory only by a fork inside a callback.
    token: u64,
    next_index: AtomicUsize,
    /// For `poll`; the exact counts are in `tally` at the end.
    pub done: AtomicUsize,
    pub failed: AtomicUsize,
    pub tally: Mutex<Tally>,
    /// How many workers ran items.
    pub workers: AtomicUsize,
    pub busy_ns: AtomicU64,
}

impl<'a> Call<'a> {
    pub fn new(job: &'a Job, options: &Options<'a>, workers: usize) -> Call<'a> {
        let started = Instant::now();
        Call {
            job,
            halt: Halt::new(options.cancel),
            schedule: Schedule::new(job.units(), job.unit_grain(options.grain), workers),
            started,
            // A deadline beyond what the clock can tell is none.
            deadline: options.timeout.and_then(|timeout| started.checked_add(timeout)),
            door: options.hooks.map(Door::new),
            token: process_token(),
            next_index: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            tally: Mutex::default(),
            workers: AtomicUsize::new(0),
            busy_ns: AtomicU64::new(0),
        }
    }

    /// An index for one more worker.
    pub fn new_index(&self) -> usize {
        self.next_index.fetch_add(1, Relaxed)
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
    pub fn check_deadline(&self, now: Instant) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.halt.raise(Cause::TimedOut);
        }
    }

    /// Whether this process is a child that was forked inside a callback of the call, and came back out of it.
    pub fn forked(&self) -> bool {
        process_token() != self.token
    }

    pub fn add_to_tally(&self, tally: &Tally) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
    }
}
