//! What rank 0 looks at while a call goes on: the deadline, and whoever wants to know how far it is.

use crate::job::{Cause, Halt, Tally};
use crate::options::Options;
use std::time::{Duration, Instant};

pub struct Watch<'a> {
    options: &'a Options<'a>,
    halt: &'a Halt<'a>,
    n: usize,
    started: Instant,
    deadline: Option<Instant>,
    /// When `poll` is to be called.
    due: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub fn new(options: &'a Options<'a>, halt: &'a Halt<'a>, n: usize) -> Watch<'a> {
        let started = Instant::now();
        Watch {
            options,
            halt,
            n,
            started,
            // A deadline beyond what the clock can tell is none.
            deadline: options.timeout.and_then(|timeout| started.checked_add(timeout)),
            due: options.poll.map(|poll| started + poll.every),
        }
    }

    /// Stops the call if it is time, or if `poll` says so.
    pub fn look(&mut self, tally: impl FnOnce() -> Tally) {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.halt.raise(Cause::TimedOut);
        }
        if let (Some(poll), Some(due)) = (self.options.poll, self.due)
            && now >= due
        {
            let tally = tally();
            if !poll.call(self.n, tally.done, tally.failed, self.started.elapsed()) {
                self.halt.raise(Cause::Poll);
            }
            self.due = Some(Instant::now() + poll.every);
        }
    }

    /// `nap`, or less if there is something to do before its end.
    pub fn at_most(&self, nap: Duration) -> Duration {
        let next = [self.deadline.filter(|_| !self.halt.stops()), self.due].into_iter().flatten().min();
        next.map_or(nap, |next| nap.min(next.saturating_duration_since(Instant::now())))
    }

    /// The call is over: `poll` is called once more.
    pub fn end(&self, done: usize, failed: usize) {
        if let Some(poll) = self.options.poll {
            poll.call(self.n, done, failed, self.started.elapsed());
        }
    }
}
