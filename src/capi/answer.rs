//! The frame of every call: reads the options, has the job run, writes the report, and lets no panic through.

use super::arguments::{self, Input};
use super::options::{self, Refusal};
use super::ranks;
use crate::abi::options::{par_options, par_report};
use crate::abi::status::*;
use crate::job::{Cause, Ending, Job, Outcome, Work};
use crate::options::{Executor, Options};
use crate::schedule::NANO;
use crate::threads::{self, Solo};
use std::fmt::Write;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Does what the call `name` asks for.
///
/// # Safety
/// `raw` is NULL or readable options, as the header asks; `work` keeps the promises of `job::user`.
#[inline]
pub unsafe fn answer(
    name: &str,
    n: usize,
    raw: *const par_options,
    work: impl FnOnce(Input) -> Result<Work, arguments::Refusal>,
) -> par_status {
    let mut report = None;
    // SAFETY: the caller of this function promises as much.
    let done = catch_unwind(AssertUnwindSafe(|| unsafe { attempt(name, n, raw, work, &mut report) }));
    match done {
        Ok(Ok(status)) => status,
        Ok(Err(refusal)) => refuse(report, Sentence::of(name, format_args!("{}", refusal.sentence)), refusal.status),
        Err(_) => refuse(report, Sentence::of(name, format_args!("{BUG}")), PAR_EPANIC),
    }
}

pub const BUG: &str = "a bug of libparmap: please report it, with what it printed to stderr";

/// Reads, checks, runs, and tells. `report` is set as soon as it is known to be one.
#[inline]
unsafe fn attempt(
    name: &str,
    n: usize,
    raw: *const par_options,
    work: impl FnOnce(Input) -> Result<Work, arguments::Refusal>,
    report: &mut Option<&mut par_report>,
) -> Result<par_status, Box<Refusal>> {
    // SAFETY: the caller of this function promises as much.
    let work = work(if unsafe { options::name_ranks(raw) } { ranks::input() } else { Input::Here });
    let mut begun = Solo::default();
    if raw.is_null()
        && options::defaults_are_known()
        && let Ok(work) = &work
    {
        let stretch = threads::run_plain(work, n);
        if stretch.stopped {
            return Ok(PAR_EITEM);
        }
        if stretch.next == n && n > 0 {
            return Ok(PAR_OK);
        }
        begun = Solo::begun(stretch);
    }
    let mut copy = MaybeUninit::uninit();
    // SAFETY: the caller of this function promises as much.
    let known = unsafe { options::read(raw, &mut copy) }?;
    // SAFETY: the same.
    *report = unsafe { options::report(known.options) }?;
    let started = report.is_some().then(Instant::now);
    let (work, options) = match (work, options::check(&known, n)) {
        (Ok(work), Ok(options)) => (work, options),
        (Err(sentence), Ok(_)) => return Err(ranks::refused(name, known.options, sentence.into())),
        (_, Err(refusal)) => return Err(ranks::refused(name, known.options, refusal)),
    };
    let job = Job::new(work, n, options.grain, options.keep_going, options.items);
    let outcome = match options.executor {
        Executor::Threads => threads::run(&job, &options, begun),
        #[cfg(target_os = "linux")]
        Executor::Processes => crate::processes::run(job, &options),
        Executor::Mpi => ranks::run(name, job, &options)?,
    };
    let status = judge(&outcome);
    if let (Some(report), Some(started)) = (report, started) {
        let message = Sentence::telling(name, status, &outcome, n, &options);
        write(report, &outcome, started.elapsed(), message);
    }
    Ok(status)
}

#[cold]
pub fn refuse(report: Option<&mut par_report>, message: Sentence, status: par_status) -> par_status {
    if let Some(report) = report {
        write(report, &Outcome::default(), Duration::ZERO, message);
    }
    status
}

pub fn write(report: &mut par_report, outcome: &Outcome, wall: Duration, message: Sentence) {
    let (first_failed, first) = outcome.first.unwrap_or((usize::MAX, par_item::default()));
    *report = par_report {
        size: report.size,
        done: outcome.done,
        failed: outcome.failed,
        first_failed,
        first,
        workers: outcome.workers,
        wall_ns: wall.as_nanos() as u64,
        busy_ns: outcome.busy / NANO,
        os_error: outcome.os_error,
        reserved: 0,
        message: message.text,
    };
}

pub fn judge(outcome: &Outcome) -> par_status {
    match outcome.cause {
        None if outcome.failed == 0 => PAR_OK,
        None | Some(Cause::Failed) => PAR_EITEM,
        Some(Cause::CancelFlag | Cause::Poll) => PAR_ECANCELED,
        Some(Cause::TimedOut) => PAR_ETIMEDOUT,
        Some(Cause::OutOfMemory | Cause::NoSharedMemory | Cause::NoRoomForResult) => PAR_ENOMEM,
        Some(Cause::NoProcess) => PAR_EAGAIN,
        Some(Cause::NoWorker | Cause::WorkersDied | Cause::ForkedChild) => PAR_EWORKER,
        Some(Cause::System) => PAR_ESYS,
        Some(Cause::Panicked) => PAR_EPANIC,
    }
}

/// The report's message: begins with the name of the call, is cut to the room there is, and always terminated.
pub struct Sentence<'a> {
    name: &'a str,
    text: [std::ffi::c_char; 256],
    len: usize,
}

impl Sentence<'_> {
    pub fn empty(name: &str) -> Sentence<'_> {
        Sentence { name, text: [0; 256], len: 0 }
    }

    pub fn of<'a>(name: &'a str, text: std::fmt::Arguments) -> Sentence<'a> {
        let mut sentence = Sentence::empty(name);
        sentence.add(text);
        sentence
    }

    /// What came of a call that ran; empty if there is nothing to say.
    fn telling<'a>(name: &'a str, status: par_status, outcome: &Outcome, n: usize, options: &Options) -> Sentence<'a> {
        let mut sentence = Sentence::empty(name);
        sentence.tell(status, outcome, n, options);
        sentence
    }

    pub fn add(&mut self, text: std::fmt::Arguments) {
        let name = self.name;
        let begin = if self.len == 0 { name } else { ";" };
        let between = if self.len == 0 { ": " } else { " " };
        // Writing into the array cannot fail: what does not fit is cut.
        let _ = write!(self, "{begin}{between}{text}");
    }

    fn tell(&mut self, status: par_status, outcome: &Outcome, n: usize, options: &Options) {
        let done = outcome.done;
        match (status, outcome.cause) {
            (PAR_EITEM, _) => {
                let (index, item) = outcome.first.unwrap_or_default();
                match (item.state, options.item_timeout) {
                    (PAR_ITEM_TIMED_OUT, Some(limit)) => {
                        let ms = limit.as_millis();
                        self.add(format_args!("item {index} ran longer than item_timeout_ms, {ms}, and was ended"));
                    }
                    _ => self.add(format_args!("item {index} {}", Ending(item))),
                }
                let (failed, not_run) = (outcome.failed, n - done);
                if failed > 1 || not_run > 0 {
                    self.add(format_args!("{failed} of {n} items failed, {not_run} did not run"));
                }
            }
            (_, Some(Cause::CancelFlag)) => {
                self.add(format_args!("stopped by the cancel flag after {done} of {n} items"))
            }
            (_, Some(Cause::Poll)) => self.add(format_args!("stopped by poll after {done} of {n} items")),
            (_, Some(Cause::TimedOut)) => {
                let ms = options.timeout.unwrap_or_default().as_millis();
                self.add(format_args!("timeout_ms of {ms} passed after {done} of {n} items"));
            }
            (_, Some(Cause::OutOfMemory)) => {
                self.add(format_args!(
                    "no memory for a copy of the accumulator: pass a smaller acc_size or a larger grain"
                ));
            }
            (_, Some(Cause::NoWorker)) => {
                self.add(format_args!("worker_start refused in every worker that came: {done} of {n} items ran"));
            }
            (_, Some(Cause::ForkedChild)) => self.add(format_args!(
                "this process was forked inside a callback and came back out of it: end such a child with _exit or exec"
            )),
            (_, Some(Cause::Panicked)) => {
                self.add(format_args!("{BUG}"));
            }
            (_, Some(Cause::WorkersDied)) => {
                self.add(format_args!("the worker processes ended: {done} of {n} items ran"));
            }
            // The remark says it all.
            (_, Some(Cause::NoProcess | Cause::NoSharedMemory | Cause::NoRoomForResult | Cause::System)) => {}
            (_, Some(Cause::Failed) | None) => {}
        }
        if let Some(remark) = &outcome.remark {
            self.add(format_args!("{remark}"));
        }
    }
}

impl Write for Sentence<'_> {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room = self.text.len() - 1 - self.len;
        // Never half a character: a truncated sentence is still UTF-8.
        let fits = (0..=part.len().min(room)).rev().find(|&end| part.is_char_boundary(end)).unwrap_or(0);
        for byte in part[..fits].bytes() {
            self.text[self.len] = byte as std::ffi::c_char;
            self.len += 1;
        }
        Ok(())
    }
}
