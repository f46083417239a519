//! How a worker takes part in a call: one hand-out after the other, until nothing is left.

use super::WAKE_FROM;
use super::board::Seat;
use super::call::{Call, Counts, First};
use super::crowding;
use super::here::Inside;
use super::hooks::Refused;
use super::ticks::Tick;
use crate::job::{Cause, Halt, Job, Part, Tally};
use crate::schedule::{Line, Pace, Picos};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

pub struct Worker<'a, 'job> {
    call: &'a Call<'job>,
    counts: &'a Counts,
    index: usize,
    /// The line of the schedule where it begins.
    home: usize,
    first: Option<Range<usize>>,
    _inside: Inside,
    state: State,
    pace: Pace,
    tally: Tally,
    busy: Picos,
    /// When the last hand-out ended.
    before: Tick,
}

#[derive(PartialEq)]
enum State {
    New,
    Admitted,
    Refused,
}

impl<'a, 'job> Worker<'a, 'job> {
    /// The caller, with its `first` hand-out if it took one before any helper could see the call.
    pub fn of_caller(call: &'a Call<'job>, first: Option<First>) -> Worker<'a, 'job> {
        let First { hand_out, pace } = first.unwrap_or_else(|| First { hand_out: None, pace: call.pace() });
        Worker::new(call, call.caller_index(), 0, &call.by_caller, hand_out, pace)
    }

    pub fn of_helper(call: &'a Call<'job>, home: usize) -> Worker<'a, 'job> {
        let index = call.new_index();
        // In a pool of more helpers than the call has seats, some have numbers that lead to the line of another.
        let home = if home < call.most_workers { home } else { index };
        Worker::new(call, index, home, &call.by_helpers, None, call.pace())
    }

    fn new(
        call: &'a Call<'job>,
        index: usize,
        home: usize,
        counts: &'a Counts,
        first: Option<Range<usize>>,
        pace: Pace,
    ) -> Worker<'a, 'job> {
        Worker {
            call,
            counts,
            index,
            home,
            first,
            _inside: Inside::enter(index),
            state: State::New,
            pace,
            tally: Tally::default(),
            busy: 0,
            before: Tick::now(),
        }
    }

    /// Takes one hand-out and runs it. False if there was none to be had.
    pub fn step(&mut self, patience: Patience) -> bool {
        let hand_out = match self.state {
            State::Refused => None,
            State::New => self.enter(),
            State::Admitted => self.take().or_else(|| self.take_returned(patience)),
        };
        let Some(hand_out) = hand_out else { return false };
        self.run(hand_out);
        true
    }

    /// How much work is left for others to take, as far as this worker knows without asking.
    pub fn work_left(&self) -> Picos {
        self.pace.work_of(self.call.schedule.left_by(&self.pace))
    }

    pub fn was_refused(&self) -> bool {
        self.state == State::Refused
    }

    fn enter(&mut self) -> Option<Range<usize>> {
        let first = match &self.call.door {
            None => match self.first.take() {
                Some(first) => Some(first).filter(|_| !may_not_start(self.call))?,
                None => self.take()?,
            },
            Some(door) => match door.enter(self.index, || take(self.call, self.home, &mut self.pace)) {
                Ok(first) => {
                    self.before = Tick::now();
                    first?
                }
                Err(Refused) => {
                    self.state = State::Refused;
                    return None;
                }
            },
        };
        self.state = State::Admitted;
        Some(first)
    }

    fn take(&mut self) -> Option<Range<usize>> {
        take(self.call, self.home, &mut self.pace)
    }

    fn take_returned(&mut self, patience: Patience) -> Option<Range<usize>> {
        let door = self.call.door.as_ref().filter(|_| !self.call.halt.stops())?;
        let returned = door.take_returned(patience);
        self.before = Tick::now();
        returned
    }

    fn run(&mut self, hand_out: Range<usize>) {
        let call = self.call;
        let units = hand_out.len();
        let part = Part { units: hand_out, stride: self.pace.stride() };
        call.job.run(part, call.halt, &mut self.tally);
        let now = Tick::now();
        let time = now.since(self.before);
        self.before = now;
        self.busy += time;
        if self.pace.expects(units, time) && !call.seen.borne_out.load(Relaxed) {
            call.seen.borne_out.store(true, Relaxed);
        }
        let cost = self.pace.learn(units, time);
        // A hint for others: worth a write to their cache line only when it changes much.
        let known = call.seen.unit_cost.load(Relaxed);
        if cost / 2 > known || cost < known / 2 {
            call.seen.unit_cost.store(cost, Relaxed);
        }
        if call.watched {
            self.counts.add(&mut self.tally);
        }
    }
}

fn take(call: &Call, home: usize, pace: &mut Pace) -> Option<Range<usize>> {
    if may_not_start(call) { None } else { call.schedule.take(home, pace) }
}

fn may_not_start(call: &Call) -> bool {
    if call.forked() {
        call.halt.raise(Cause::ForkedChild); // what is left is for the parent to run
    }
    call.check_deadline();
    call.halt.stops()
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
        if self.state != State::Admitted {
            return;
        }
        if let Some(door) = &self.call.door {
            door.leave(self.index);
        }
        self.counts.workers.fetch_add(1, Relaxed);
        self.counts.busy.fetch_add(self.busy, Relaxed);
        // In a forked child, a lock may be held for ever by a thread that stayed in the parent.
        if !self.call.forked() {
            self.counts.add(&mut self.tally);
        }
    }
}

/// A helper's part in the call that it has a seat at, from line `home` on. `woken`: it was asleep until
/// now. `wake_another` is called if one more would be of use.
pub fn help(seat: Seat<'_>, home: usize, woken: bool, wake_another: impl FnOnce()) {
    // SAFETY: the board keeps what was posted in place until the seat is left, and nothing but calls is posted.
    let call = unsafe { &*std::ptr::with_exposed_provenance::<Call<'_>>(seat.posted) };
    prefetch(call.job, size_of::<Job>());
    prefetch(call.halt, size_of::<Halt>());
    prefetch(call.schedule.line_of(home), size_of::<Line>());
    if woken {
        crowding::leave(call.seen.woken_from.load(Relaxed).checked_sub(1));
    }
    if seat.has_room() && call.work_left() >= WAKE_FROM {
        wake_another();
    }
    contain(call.halt, || {
        let mut worker = Worker::of_helper(call, home);
        while worker.step(Patience::Waits) {}
    });
    if call.forked() {
        end_the_child();
    }
    if seat.has_room() && call.exhausted() {
        seat.shut();
    }
}

/// Asks for what a helper needs of a call before it is needed: another CPU has just written it.
pub fn fetch(posted: usize) {
    prefetch(posted as *const Call<'_>, Call::FOR_HELPERS);
}

/// Asks for all lines of something at once: each takes a tenth of a microsecond to come over from another CPU.
#[inline(always)]
fn prefetch<T>(what: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len).step_by(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 CPU has the instruction, which changes nothing, wherever it points.
        unsafe { _mm_prefetch(what.cast::<i8>().wrapping_add(line), _MM_HINT_T0) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (what, len);
}

/// A panic of the library stops the call and goes no further.
#[inline]
pub fn contain(halt: &Halt, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        halt.raise(Cause::Panicked);
    }
}

/// A callback forked on a helper thread, and the child came back out of it. The call's caller does not exist here, so
/// there is nobody to answer to and nothing to wait for.
pub fn end_the_child() -> ! {
    const SENTENCE: &str = "libparmap: a child that was forked inside a callback returned from it, and was ended: \
                            end such a child with _exit or exec\n";
    // SAFETY: plain system calls; nothing of the parent's is flushed or run.
    unsafe {
        libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len());
        libc::_exit(70)
    }
}
