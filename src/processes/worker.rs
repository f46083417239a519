//! A worker process: takes hand-outs and runs them, until nothing is left.

use super::bytes::Sender;
use super::prologue;
use super::record::{Record, phase};
use super::reduce::Line;
use super::results::Results;
use super::shared::Call;
use super::system;
use crate::fork::process_token;
use crate::job::{Cause, Part, ReduceWork, Tally, Watch, Work};
use crate::schedule::{NANO, Pace};
use crate::threads::Inside;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::*;
use std::time::Instant;

/// The code of an item whose result found no memory on its way back.
const NO_ROOM: i32 = libc::ENOMEM;

/// Exit codes of a worker that the library itself ends. Nobody sees them but `ps`; the record says what happened.
const CONTAINED: i32 = 70;

/// Runs this process as worker `index` and ends it.
pub fn work(call: &Call, index: usize) -> ! {
    let _inside = Inside::enter(index);
    let record = &call.shared.records[index];
    let last = match catch_unwind(AssertUnwindSafe(|| Worker::new(call, index).work())) {
        Ok(last) => last,
        Err(_) => {
            call.shared.control.halt.raise(Cause::Panicked);
            phase::PANICKED
        }
    };
    prologue::flush_output();
    record.phase.store(last, Release);
    system::exit_now(if last == phase::FINISHED { 0 } else { CONTAINED })
}

struct Worker<'a> {
    call: &'a Call<'a>,
    index: usize,
    record: &'a Record,
    watcher: Watcher<'a>,
    pace: Pace,
}

impl<'a> Worker<'a> {
    fn new(call: &'a Call<'a>, index: usize) -> Worker<'a> {
        let record = &call.shared.records[index];
        let watcher = Watcher {
            call,
            record,
            timed: call.options.item_timeout.is_some(),
            token: process_token(),
            results: call.shared.results.as_ref(),
            sender: call.shared.parcels.as_ref().map(Sender::new),
        };
        Worker { call, index, record, watcher, pace: Pace::new(None) }
    }

    /// The phase in which the worker ends.
    fn work(mut self) -> u32 {
        let (control, records) = (self.call.shared.control, self.call.shared.records);
        let mut first = control.claims.take(records, self.index, &mut self.pace);
        let may_combine = self.call.shared.line.as_ref().is_some_and(Line::is_waiting);
        if first.is_none() && !may_combine {
            return phase::FINISHED;
        }
        if self.call.options.hooks.is_some_and(|hooks| !hooks.start(self.index)) {
            return phase::REFUSED;
        }
        self.record.phase.store(phase::WORKING, Release);
        while let Some(units) = first.take().or_else(|| self.take()) {
            self.run(units);
        }
        self.combine();
        if let Some(hooks) = &self.call.options.hooks {
            self.record.phase.store(phase::STOPPING, Release);
            hooks.stop(self.index);
        }
        phase::FINISHED
    }

    fn take(&mut self) -> Option<Range<usize>> {
        let control = self.call.shared.control;
        if control.halt.stops() {
            None
        } else {
            control.claims.take(self.call.shared.records, self.index, &mut self.pace)
        }
    }

    fn run(&mut self, units: Range<usize>) {
        let count = units.len();
        let before = Instant::now();
        // SAFETY: this worker lives and is the one whose record this is; nothing below asks for the tally again.
        let tally = unsafe { self.record.tally() };
        let done_before = tally.done;
        if let (Work::Reduce(reduce), Some(line)) = (self.call.job.work(), &self.call.shared.line) {
            self.fold(units, reduce, line, tally);
        } else {
            let part = Part { units, stride: 1 };
            self.call.job.run_watched(part, &self.call.shared.control.halt, tally, &mut self.watcher);
        }
        let picos = before.elapsed().as_nanos() as u64 * NANO;
        self.pace.learn(count, picos);
        self.record.busy.fetch_add(picos, Relaxed);
        self.record.failed.store(tally.failed, Relaxed);
        self.record.settle(tally.done - done_before);
        self.combine();
    }

    fn fold(&mut self, units: Range<usize>, reduce: &ReduceWork, line: &Line, tally: &mut Tally) {
        let (job, halt) = (self.call.job, &self.call.shared.control.halt);
        for unit in units {
            if halt.stops() {
                return;
            }
            self.watcher.before(unit);
            let code = self.watcher.after(unit, line.fold(unit, job, reduce));
            job.settle(job.items_of(unit..unit + 1), code, halt, tally);
        }
    }

    fn combine(&self) {
        if let (Work::Reduce(reduce), Some(line)) = (self.call.job.work(), &self.call.shared.line) {
            // SAFETY: this worker lives and is the one whose record this is.
            line.combine(self.call, self.index, reduce, unsafe { self.record.tally() });
            prologue::flush_output();
        }
    }
}

/// Notes which item runs, and sends its result off.
struct Watcher<'a> {
    call: &'a Call<'a>,
    record: &'a Record,
    timed: bool,
    /// This process: a child that a callback forks has another.
    token: u64,
    results: Option<&'a Results>,
    sender: Option<Sender<'a>>,
}

impl Watch for Watcher<'_> {
    #[inline]
    fn before(&mut self, unit: usize) {
        if self.timed {
            self.record.since.store(self.call.clock(), Release);
        }
        self.record.at.store(unit, Release);
    }

    #[inline]
    fn after(&mut self, unit: usize, code: i32) -> i32 {
        if process_token() != self.token {
            end_the_child();
        }
        prologue::flush_output();
        if code != 0 {
            return code;
        }
        if let Some(results) = self.results {
            results.send(unit);
        }
        let sent = self.sender.as_mut().is_none_or(|sender| sender.send(unit));
        if sent { 0 } else { self.no_room(unit) }
    }
}

impl Watcher<'_> {
    #[cold]
    fn no_room(&self, unit: usize) -> i32 {
        let control = self.call.shared.control;
        let _ = control.no_room_for.compare_exchange(0, unit + 1, Relaxed, Relaxed);
        control.halt.raise(Cause::NoRoomForResult);
        NO_ROOM
    }
}

/// A callback forked, and the child came back out of it. The worker is the parent; there must not be two of it.
#[cold]
fn end_the_child() -> ! {
    const SENTENCE: &str = "libparmap: a child that was forked inside a callback returned from it, and was ended: \
                            end such a child with _exit or exec\n";
    // SAFETY: a plain system call.
    unsafe { libc::write(libc::STDERR_FILENO, SENTENCE.as_ptr().cast(), SENTENCE.len()) };
    system::exit_now(CONTAINED)
}
