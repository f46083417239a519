//! The one loop that starts commands, looks after those that run, and settles those that have ended.

use super::capture::{Captured, PART};
use super::joblog::Traffic;
use super::results::Attempt;
use super::running::{FILES, Goes, Running};
use super::spawn::{Failure, Step};
use super::start::Starter;
use super::{Batch, Ran, pipe, spill, story};
use crate::abi::status::*;
use crate::job::{Cause, Halt, Outcome, Tally};
use crate::options::Options;
use crate::schedule::{NANO, Picos};
use std::io::Result;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How soon a cancel flag is seen.
const CANCEL_TICK: Duration = Duration::from_millis(20);

pub struct Supervisor<'a, 'b> {
    batch: &'b mut Batch<'a>,
    options: &'b Options<'b>,
    halt: Halt<'b>,
    starter: Starter,
    folder: PathBuf,
    part: Box<[u8; PART]>,
    files: Vec<libc::pollfd>,
    /// Which files of each that runs are ready.
    ready: Vec<[bool; FILES]>,
    began: Instant,
    deadline: Option<Instant>,
    poll_due: Option<Instant>,
    running: Vec<Running<'a>>,
    /// Commands that have failed and are to be started again.
    again: Vec<Failed>,
    /// The first command that has not been started.
    next: usize,
    /// Set while the call ends all that runs.
    ending: bool,
    /// Whether that befell any command.
    ended_any: bool,
    /// The system refused to start one more, though some ran: how many, and its errno.
    refused: Option<(usize, i32)>,
    /// How many may run, for now.
    room: usize,
    tally: Tally,
    busy: Picos,
    most: usize,
    /// About the first failure, and about what else went wrong.
    why: Option<(usize, String)>,
    log_trouble: Option<String>,
}

/// An attempt that failed, and what its start failed at if it did.
struct Failed {
    index: usize,
    attempt: Attempt,
    step: Option<Step>,
}

enum Progress {
    Started,
    /// A command has its outcome, or its next attempt, without having run.
    Settled,
    Nothing,
}

impl<'a, 'b> Supervisor<'a, 'b> {
    pub fn new(batch: &'b mut Batch<'a>, options: &'b Options<'b>) -> Result<Supervisor<'a, 'b>> {
        let starter = Starter::new(batch.url.as_deref(), batch.inherit, batch.item_timeout)?;
        let began = Instant::now();
        Ok(Supervisor {
            halt: Halt::new(options.cancel),
            starter,
            folder: spill::folder(),
            part: Box::new([0; PART]),
            files: Vec::new(),
            ready: Vec::new(),
            began,
            deadline: options.timeout.and_then(|time| began.checked_add(time)),
            poll_due: options.poll.map(|poll| began + poll.every),
            running: Vec::new(),
            again: Vec::new(),
            next: 0,
            ending: false,
            ended_any: false,
            refused: None,
            room: options.workers,
            tally: Tally::default(),
            busy: 0,
            most: 0,
            why: None,
            log_trouble: None,
            batch,
            options,
        })
    }

    pub fn run(mut self) -> Result<Ran> {
        loop {
            self.look_at_the_clock(Instant::now());
            let progress = self.start_next();
            if matches!(progress, Progress::Started) {
                continue;
            }
            let idle = matches!(progress, Progress::Nothing);
            if !self.running.is_empty() {
                self.wait(idle)?;
                self.attend();
            } else if idle {
                break;
            }
        }
        // Their last attempt counts: the call stopped before the next.
        for Failed { index, attempt, step } in std::mem::take(&mut self.again) {
            self.settle(index, attempt, step);
        }
        self.poll();
        Ok(self.sum_up())
    }

    // ---- starting ---------------------------------------------------------------------------------------------------

    /// Starts a command, if there is one that may start.
    fn start_next(&mut self) -> Progress {
        if self.running.len() >= self.room || self.halt.stops() {
            return Progress::Nothing;
        }
        if let Some(failed) = self.again.pop() {
            let progress = self.start(failed.index, failed.attempt.number + 1);
            if matches!(progress, Progress::Nothing) {
                self.again.push(failed);
            }
            return progress;
        }
        let index = self.next;
        if index == self.batch.commands.len() {
            return Progress::Nothing;
        }
        let progress = if self.batch.joblog.as_ref().is_some_and(|log| log.has(index)) {
            self.tally.done += 1;
            self.batch.results.set(index, Attempt::bare(par_item { state: PAR_ITEM_OK, code: 0 }, 0));
            Progress::Settled
        } else {
            self.start(index, 1)
        };
        if !matches!(progress, Progress::Nothing) {
            self.next += 1;
        }
        progress
    }

    /// Starts a command. Nothing: the system gives no more while others run.
    fn start(&mut self, index: usize, attempt: u32) -> Progress {
        match self.starter.start(index, attempt, &self.batch.commands[index]) {
            Ok(running) => {
                self.running.push(running);
                self.most = self.most.max(self.running.len());
                Progress::Started
            }
            Err(Failure { step: Step::Resources, errno }) if !self.running.is_empty() => {
                self.room = self.running.len();
                if self.refused.is_none_or(|(most, _)| self.room < most) {
                    self.refused = Some((self.room, errno));
                }
                Progress::Nothing
            }
            Err(failure) => {
                let item = par_item { state: PAR_ITEM_SPAWN_FAILED, code: failure.errno };
                self.settle_or_try_again(index, Attempt::bare(item, attempt), Some(failure.step));
                Progress::Settled
            }
        }
    }

    // ---- looking after those that run -------------------------------------------------------------------------------

    /// Waits until something is to be done; not at all unless `idle`.
    fn wait(&mut self, idle: bool) -> Result<()> {
        self.files.clear();
        // Only what is there: the system counts the entries against the limit on open files.
        let listed = self.running.iter().flat_map(Running::files).filter(|&(fd, _)| fd >= 0);
        self.files.extend(listed.map(|(fd, events)| libc::pollfd { fd, events, revents: 0 }));
        let deadline = self.deadline.filter(|_| !self.ending);
        let cancel = self.options.cancel.filter(|_| !self.ending).map(|_| Instant::now() + CANCEL_TICK);
        let looks = self.running.iter().filter_map(Running::next_look);
        let next = looks.chain(deadline).chain(cancel).chain(self.poll_due).min();
        let time = next.map(|next| next.saturating_duration_since(Instant::now()));
        let time = if idle { time } else { Some(Duration::ZERO) };
        pipe::wait(&mut self.files, time)?;
        let mut waited_for = self.files.iter();
        let mut is_ready = |(fd, _)| fd >= 0 && waited_for.next().is_some_and(|file| file.revents != 0);
        self.ready.clear();
        self.ready.extend(self.running.iter().map(|running| running.files().map(&mut is_ready)));
        Ok(())
    }

    fn attend(&mut self) {
        for position in (0..self.running.len()).rev() {
            let ready = self.ready[position];
            if ready.contains(&true)
                && self.running[position].attend(ready, &mut self.part, &self.folder) == Goes::Ended
            {
                self.finish(position);
            }
        }
        let now = Instant::now();
        for position in (0..self.running.len()).rev() {
            if self.running[position].look(now) == Goes::Ended {
                self.finish(position);
            }
        }
    }

    /// The cancel flag, the deadline and the poll of the whole call.
    fn look_at_the_clock(&mut self, now: Instant) {
        if self.poll_due.is_some_and(|due| now >= due) && !self.poll() {
            self.end_all(Cause::Poll, now);
        }
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.end_all(Cause::TimedOut, now);
        }
        if self.options.cancel.is_some_and(|cancel| cancel.load(Relaxed) != 0) {
            self.end_all(Cause::CancelFlag, now);
        }
    }

    fn end_all(&mut self, cause: Cause, now: Instant) {
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        self.halt.raise(cause);
        for running in &mut self.running {
            if cause == Cause::TimedOut {
                self.ended_any |= running.time_out(now);
            } else {
                self.ended_any = true;
                running.ask_to_end(now);
            }
        }
    }

    /// Whether the call is to go on.
    fn poll(&mut self) -> bool {
        let Some(poll) = &self.options.poll else { return true };
        self.poll_due = Some(Instant::now() + poll.every);
        poll.call(self.batch.commands.len(), self.tally.done, self.tally.failed, self.began.elapsed())
    }

    // ---- settling those that have ended -----------------------------------------------------------------------------

    fn finish(&mut self, position: usize) {
        let mut running = self.running.swap_remove(position);
        let index = running.index;
        let mut attempt = running.finish(&mut self.part, &self.folder);
        let failure = self.starter.learn(&running.launch);
        if let Some(Failure { errno, .. }) = failure {
            attempt.item = par_item { state: PAR_ITEM_SPAWN_FAILED, code: errno };
        }
        self.busy += attempt.wall.as_nanos() as u64 * NANO;
        // What was refused before may be granted now.
        self.room = self.options.workers;
        self.settle_or_try_again(index, attempt, failure.map(|failure| failure.step));
    }

    /// `step`: what a start failed at.
    fn settle_or_try_again(&mut self, index: usize, attempt: Attempt, step: Option<Step>) {
        let more = attempt.number <= self.batch.commands[index].retries;
        if attempt.failed() && more && !self.halt.stops() {
            self.again.push(Failed { index, attempt, step });
        } else {
            self.settle(index, attempt, step);
        }
    }

    fn settle(&mut self, index: usize, attempt: Attempt, step: Option<Step>) {
        let command = &self.batch.commands[index];
        if let Some(log) = &mut self.batch.joblog {
            let sent = command.input.map_or(0, <[u8]>::len);
            let traffic = Traffic { sent, received: attempt.out.as_ref().map_or(0, Captured::len) };
            if let Err(error) = log.add(index, command, &attempt, traffic) {
                self.log_trouble.get_or_insert_with(|| story::log_trouble(&error));
            }
        }
        self.tally.done += 1;
        if attempt.failed() {
            self.tally.fail(index..index + 1, attempt.item);
            if self.why.as_ref().is_none_or(|(first, _)| index < *first) {
                self.why = Some((index, story::failure(index, command, &attempt, step, self.batch, &self.folder)));
            }
            if !self.options.keep_going {
                self.halt.raise(Cause::Failed);
            }
        }
        self.batch.results.set(index, attempt);
    }

    fn sum_up(self) -> Ran {
        // What came too late to keep a command from its own end stopped nothing.
        let stopped = self.tally.done < self.batch.commands.len() || self.ended_any && self.tally.failed > 0;
        let refused = self.refused.map(|(most, errno)| story::refused(most, errno));
        let outcome = Outcome {
            cause: self.halt.cause().filter(|_| stopped),
            done: self.tally.done,
            failed: self.tally.failed,
            first: self.tally.first,
            workers: self.most,
            busy: self.busy,
            os_error: self.refused.map_or(0, |(_, errno)| errno),
            remark: self.log_trouble.or(refused),
        };
        Ran { outcome, why: self.why.map(|(_, why)| why) }
    }
}
