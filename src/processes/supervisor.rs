//! The supervisor: the process between host and workers, alone in its thread.
//!
//! It forks workers while there is work for them, waits for their ends and explains them, ends what runs for too long, and is
//! gone when the last of them is. All signals are blocked here; the kernel kills it when the host ends, and the workers when
//! it ends.

use super::prologue;
use super::record::{NONE, phase};
use super::shared::Call;
use super::system::{self, End, Forked};
use super::{autopsy, worker};
use crate::abi::status::{PAR_ITEM_EXITED, PAR_ITEM_SIGNALED, PAR_ITEM_TIMED_OUT, par_item};
use crate::job::Cause;
use libc::{pid_t, sigset_t};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::*;
use std::time::{Duration, Instant};

/// How long items may run on after the call was cancelled or its deadline passed. Short ones end by themselves.
const GRACE: Duration = Duration::from_millis(100);

/// Workers of shorter calls are gone before they could eat up the memory.
const SETTLED: Duration = Duration::from_millis(3);

/// How often it looks whether the host wants the call stopped.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Workers that end before their first item, again and again, are not worth forking.
const MOST_STILLBORN: usize = 3;

/// How long a worker may take to stand still when it is stopped; one that does not is stuck in the kernel.
const STOP_PATIENCE: Duration = Duration::from_millis(200);

/// Runs this process as the supervisor of the call and ends it. `blocked` is what the calling thread had blocked.
pub fn supervise(call: &Call, seats: Vec<Seat>, host: pid_t, blocked: &sigset_t) -> ! {
    system::die_with(host);
    prologue::become_supervisor();
    call.options.fork_hooks.after_in_child();
    let mut supervisor = Supervisor {
        call,
        blocked,
        own_pid: system::own_pid(),
        seats,
        live: 0,
        refused: false,
        stillborn: 0,
        kill_at: None,
    };
    if catch_unwind(AssertUnwindSafe(|| supervisor.run())).is_err() {
        // The kernel kills the workers when this process ends.
        call.shared.control.halt.raise(Cause::Panicked);
    }
    prologue::flush_output(); // of the fork hooks
    call.shared.control.finished.store(1, Release);
    system::wake_word(&call.shared.control.finished);
    system::exit_now(0)
}

struct Supervisor<'a> {
    call: &'a Call<'a>,
    blocked: &'a sigset_t,
    own_pid: pid_t,
    seats: Vec<Seat>,
    live: usize,
    /// The system refused a fork, and no worker has ended since.
    refused: bool,
    /// Workers that ended before their first item, one after the other.
    stillborn: usize,
    /// When those who still run are killed.
    kill_at: Option<Instant>,
}

/// The place of a worker, and of the next one with its index.
#[derive(Clone, Default)]
pub struct Seat {
    pid: Option<pid_t>,
    /// Its `worker_start` refused.
    barred: bool,
    /// It has run long enough to be worth a word to the system (see `prologue`).
    offered: bool,
    /// Why it was killed from here.
    condemned: Option<Condemned>,
    /// Items of this seat that were done when the worker came.
    settled_at_birth: usize,
}

#[derive(Clone, Copy)]
enum Condemned {
    ItemTimedOut,
    /// The deadline of the call passed, and nothing but a failure had stopped it before.
    CallTimedOut,
    CallStopped,
}

impl Supervisor<'_> {
    fn run(&mut self) {
        loop {
            while let Some((pid, end)) = system::reap_any() {
                self.bury(pid, end);
            }
            self.fork_workers();
            if self.live == 0 {
                return self.conclude();
            }
            let timeout = self.look_at_clocks();
            if self.seats.iter().all(|seat| seat.pid.is_none() || seat.offered) {
                system::wait_for_child_signal(timeout);
            } else if !system::wait_for_child_signal(Some(timeout.map_or(SETTLED, |timeout| timeout.min(SETTLED)))) {
                self.offer_workers();
            }
        }
    }

    /// Forks workers while there is something to do for them.
    fn fork_workers(&mut self) {
        let control = self.call.shared.control;
        while !self.refused && self.stillborn < MOST_STILLBORN && self.is_work_left() && control.halt.cause().is_none()
        {
            let Some(index) = self.seats.iter().position(|seat| seat.pid.is_none() && !seat.barred) else { return };
            self.fork_worker(index);
        }
    }

    /// Whether one more worker would find something to do.
    fn is_work_left(&self) -> bool {
        let shared = &self.call.shared;
        let uncombined = || shared.line.as_ref().is_some_and(|line| !line.is_complete());
        shared.control.claims.any_left() || self.live == 0 && uncombined()
    }

    fn fork_worker(&mut self, index: usize) {
        let record = &self.call.shared.records[index];
        record.take(0..0);
        record.phase.store(phase::FORKED, Relaxed);
        record.combining.store(0, Relaxed);
        let hooks = &self.call.options.fork_hooks;
        hooks.before();
        match system::fork() {
            Forked::Child => {
                system::die_with(self.own_pid);
                prologue::become_worker();
                hooks.after_in_child();
                system::set_blocked_signals(self.blocked);
                worker::work(self.call, index)
            }
            Forked::Parent(pid) => {
                record.pid.store(pid, Relaxed);
                let settled_at_birth = record.settled.load(Relaxed);
                self.seats[index] = Seat { pid: Some(pid), settled_at_birth, ..Seat::default() };
                self.live += 1;
            }
            Forked::Refused(errno) => {
                self.refused = true;
                let control = self.call.shared.control;
                control.refused.store(errno, Relaxed);
                control.missing.fetch_max(self.call.workers - self.live, Relaxed);
            }
        }
        hooks.after_in_parent();
    }

    /// Explains the end of a worker.
    fn bury(&mut self, pid: pid_t, end: End) {
        let Some(index) = self.seats.iter().position(|seat| seat.pid == Some(pid)) else { return };
        let (control, record) = (self.call.shared.control, &self.call.shared.records[index]);
        let seat = &mut self.seats[index];
        seat.pid = None;
        record.pid.store(0, Relaxed);
        self.live -= 1;
        self.refused = false;
        let item = outcome(end, seat.condemned);
        let last = record.phase.load(Acquire);
        let found = autopsy::examine(self.call, index, item);
        if found && matches!(seat.condemned, Some(Condemned::CallTimedOut | Condemned::CallStopped)) {
            control.cut_short.fetch_add(1, Relaxed);
        }
        match last {
            phase::FINISHED | phase::PANICKED => self.stillborn = 0,
            phase::REFUSED => seat.barred = true,
            phase::STOPPING => {
                control.ended_stopping.fetch_add(1, Relaxed);
            }
            _ if found || seat.condemned.is_some() || record.settled.load(Relaxed) > seat.settled_at_birth => {
                self.stillborn = 0;
            }
            _ => {
                control.stillborn_state.store(item.state, Relaxed);
                control.stillborn_code.store(item.code, Relaxed);
                control.stillborn.fetch_add(1, Relaxed);
                self.stillborn += 1;
            }
        }
    }

    /// Says why items are left, if there are any.
    fn conclude(&self) {
        let control = self.call.shared.control;
        if !self.is_work_left() {
            return;
        }
        control.halt.raise(match (self.stillborn >= MOST_STILLBORN, self.refused) {
            (true, _) => Cause::WorkersDied,
            (false, true) => Cause::NoProcess,
            (false, false) => Cause::NoWorker,
        });
    }

    /// Ends what has run for too long, and answers how long nothing else needs to be done; None: until a worker ends.
    fn look_at_clocks(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let (options, control) = (self.call.options, self.call.shared.control);
        let mut next: Option<Instant> = None;
        let mut wake_at = |time: Instant| next = Some(next.map_or(time, |next| next.min(time)));

        match self.call.deadline {
            Some(deadline) if now >= deadline => {
                control.halt.raise(Cause::TimedOut);
                control.hurry.store(1, Relaxed);
            }
            Some(deadline) => wake_at(deadline),
            None => {}
        }
        if options.cancel.is_some() || options.poll.is_some() {
            wake_at(now + LOOK_EVERY);
        }
        let stopped = !matches!(control.halt.cause(), None | Some(Cause::Failed));
        if control.hurry.load(Relaxed) != 0 || stopped {
            let kill_at = *self.kill_at.get_or_insert(now + GRACE);
            if now >= kill_at {
                let late = self.call.deadline.is_some_and(|deadline| now >= deadline);
                let why = match control.halt.cause() {
                    Some(Cause::TimedOut | Cause::Failed) if late => Condemned::CallTimedOut,
                    _ => Condemned::CallStopped,
                };
                (0..self.seats.len()).for_each(|index| self.condemn(index, why));
                return None;
            }
            wake_at(kill_at);
        }
        if let Some(limit) = options.item_timeout {
            for index in 0..self.seats.len() {
                if self.seats[index].pid.is_none() || self.seats[index].condemned.is_some() {
                    continue;
                }
                match self.running_since(index) {
                    Some((_, since)) if since + limit <= now => self.end_item(index, limit),
                    Some((_, since)) => wake_at(since + limit),
                    None => wake_at(now + limit),
                }
            }
        }
        next.map(|next| next.saturating_duration_since(Instant::now()))
    }

    fn offer_workers(&mut self) {
        for seat in self.seats.iter_mut().filter(|seat| !seat.offered) {
            if let Some(pid) = seat.pid {
                prologue::offer_to_oom_killer(pid);
                seat.offered = true;
            }
        }
    }

    /// What a worker is in the middle of, and since when.
    fn running_since(&self, index: usize) -> Option<((usize, usize), Instant)> {
        let record = &self.call.shared.records[index];
        let what = (record.at.load(Acquire), record.combining.load(Acquire));
        let since = record.since.load(Acquire);
        (what != (NONE, 0)).then(|| (what, self.call.started + Duration::from_nanos(since)))
    }

    /// Kills a worker for its item, if it is still in the middle of it when it stands still.
    fn end_item(&mut self, index: usize, limit: Duration) {
        let Some(pid) = self.seats[index].pid else { return };
        let stands_still = system::stop(pid, STOP_PATIENCE);
        let overdue = self.running_since(index).is_some_and(|(_, since)| since + limit <= Instant::now());
        if overdue || !stands_still {
            self.condemn(index, Condemned::ItemTimedOut);
        } else {
            system::kill(pid, libc::SIGCONT);
        }
    }

    fn condemn(&mut self, index: usize, why: Condemned) {
        let seat = &mut self.seats[index];
        if let Some(pid) = seat.pid {
            // The number is the child's until it is reaped, which happens here alone.
            system::kill(pid, libc::SIGKILL);
            seat.condemned.get_or_insert(why);
        }
    }
}

/// What the end of a worker is for the item that it was in the middle of.
fn outcome(end: End, condemned: Option<Condemned>) -> par_item {
    match (end, condemned) {
        (End::Signaled(libc::SIGKILL), Some(Condemned::ItemTimedOut | Condemned::CallTimedOut)) => {
            par_item { state: PAR_ITEM_TIMED_OUT, code: 0 }
        }
        (End::Signaled(signal), _) => par_item { state: PAR_ITEM_SIGNALED, code: signal },
        (End::Exited(code), _) => par_item { state: PAR_ITEM_EXITED, code },
    }
}
