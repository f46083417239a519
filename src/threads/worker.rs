//! How a worker takes part in a call: one hand-out after the other, until nothing is left.

use super::board::Seat;
use super::call::Call;
use super::index::Inside;
use crate::job::{Cause, Part, Tally};
use crate::schedule::Pace;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

pub struct Worker<'a, 'job> {
    call: &'a Call<'job>,
    index: usize,
    _inside: Inside,
    state: State,
    pace: Pace,
    tally: Tally,
    busy_ns: u64,
}

#[derive(PartialEq)]
enum State {
    New,
    Admitted,
    Refused,
}

impl<'a, 'job> Worker<'a, 'job> {
    pub fn new(call: &'a Call<'job>) -> Worker<'a, 'job> {
        let index = call.new_index();
        Worker {
            call,
            index,
            _inside: Inside::enter(index),
            state: State::New,
            pace: Pace::new(),
            tally: Tally::default(),
            busy_ns: 0,
        }
    }

    /// Takes hand-outs and runs them until nothing is left.
    pub fn run_all(&mut self) {
        let mut now = Instant::now();
        while let Some(later) = self.step(now, Patience::Waits) {
            now = later;
        }
    }

    /// Takes one hand-out, runs it, and answers when it ended; None if there was none to be had.
    pub fn step(&mut self, now: Instant, patience: Patience) -> Option<Instant> {
        let hand_out = match self.state {
            State::Refused => None,
            State::New => self.enter(now),
            State::Admitted => self.take(now).or_else(|| self.take_returned(patience)),
        }?;
        Some(self.run(hand_out))
    }

    pub fn was_refused(&self) -> bool {
        self.state == State::Refused
    }

    fn enter(&mut self, now: Instant) -> Option<Range<usize>> {
        let first = match &self.call.door {
            None => self.take(now)?,
            Some(door) => match door.enter(self.index, || self.take(now)) {
                Ok(first) => first?,
                Err(_) => {
                    self.state = State::Refused;
                    return None;
                }
            },
        };
        self.state = State::Admitted;
        self.call.workers.fetch_add(1, Relaxed);
        Some(first)
    }

    fn take(&self, now: Instant) -> Option<Range<usize>> {
        self.call.check_deadline(now);
        if self.call.halt.stops() { None } else { self.call.schedule.take(&self.pace) }
    }

    fn take_returned(&self, patience: Patience) -> Option<Range<usize>> {
        let door = self.call.door.as_ref()?;
        if self.call.halt.stops() { None } else { door.take_returned(patience) }
    }

    fn run(&mut self, hand_out: Range<usize>) -> Instant {
        let call = self.call;
        let units = hand_out.len();
        let mut tally = Tally::default();
        let begin = Instant::now();
        let part = Part { units: hand_out, stride: self.pace.stride() };
        call.job.run(part, &call.halt, &mut tally);
        let end = Instant::now();
        let ticks = end.duration_since(begin).as_nanos() as u64;
        self.pace.learn(units, ticks);
        self.busy_ns += ticks;
        call.done.fetch_add(tally.done, Relaxed);
        if tally.failed > 0 {
            call.failed.fetch_add(tally.failed, Relaxed);
        }
        self.tally.add(&tally);
        end
    }
}

/// Whether a worker that finds nothing waits for hand-outs that may still come back from a refused one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Waits,
    Looks,
}

impl Drop for Worker<'_, '_> {
    /// Leaves the call and hands the counts in, whatever ended the work.
    fn drop(&mut self) {
        if let (Some(door), State::Admitted) = (&self.call.door, &self.state) {
            door.leave(self.index);
        }
        self.call.busy_ns.fetch_add(self.busy_ns, Relaxed);
        if !self.call.forked() {
            self.call.add_to_tally(&self.tally);
        }
    }
}

/// A helper's part in the call that it has a seat at.
pub fn help(seat: Seat<'_>) {
    // SAFETY: the board keeps what was posted in place until the seat is left, and nothing but calls is posted.
    let call = unsafe { &*(seat.posted as *const Call<'_>) };
    contain(call, || Worker::new(call).run_all());
    if call.forked() {
        end_the_child();
    }
    if call.exhausted() {
        seat.shut();
    }
}

/// A panic of the library stops the call and goes no further.
pub fn contain(call: &Call<'_>, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        call.halt.raise(Cause::Panicked);
    }
}

/// A callback forked on a helper thread, and the child came back out of it. The call's caller does not exist here, so
/// there is nobody to answer to and nothing to wait for.
fn end_the_child() -> ! {
    const SENTENCE: &str = "libparmap: a child that was forked inside a callback returned from it, and was ended: \
                            end such a child with _exit or exec\n";
    // SAFETY: plain system calls; nothing of the parent's is flushed or run.
    unsafe {
        libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len());
        libc::_exit(70)
    }
}
