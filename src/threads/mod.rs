//! The executor on native threads.
//!
//! The caller posts its loop on the `board`, works on it itself, and waits for the helpers that have joined; `pool` owns
//! the helpers. `call` is what the workers of one call share, `worker` how one takes part, `hooks` how it is let in.
//! With `poll` the caller looks on instead, in `looker`.

mod board;
mod call;
mod futex;
mod hooks;
mod index;
mod looker;
mod pool;
mod worker;

pub use index::worker_index;

use crate::job::{Cause, Job, Outcome, Tally};
use crate::options::Options;
use board::{MOST_SEATS, Posting};
use call::Call;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use worker::{Worker, contain};

/// How long a caller looks for its last helper before it sleeps: twice a hand-out.
const LOOK: Duration = Duration::from_micros(20);

/// How long a caller whose own start refused waits for a first helper to come. Only then is there nobody to run the items.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the job as the options say and answers what came of it. No callback runs any more when it returns.
pub fn run(job: &Job, options: &Options) -> Outcome {
    let hand_outs = job.units().div_ceil(job.unit_grain(options.grain));
    let workers = options.workers.min(hand_outs).clamp(1, MOST_SEATS);
    let call = Call::new(job, options, workers);
    // A caller that looks on leaves every seat to a helper.
    let wanted = if options.poll.is_some() && job.items() > 0 { workers } else { workers - 1 };
    let mut outcome = Outcome::default();
    let mut posting = None;
    if wanted > 0 {
        let pool = pool::current();
        let (helpers, refusal) = pool.hire(wanted);
        if let Some(error) = refusal {
            outcome.os_error = error.raw_os_error().unwrap_or(0);
            outcome.remark = Some(format!(
                "the system refused threads ({error}): the call had {} of {workers} workers",
                workers.min(helpers + usize::from(options.poll.is_none()))
            ));
        }
        if helpers > 0 {
            posting = pool.board.post(std::ptr::from_ref(&call).addr(), wanted);
        }
    }
    match &options.poll {
        Some(poll) => contain(&call, || looker::look_on(&call, posting.as_ref(), poll, &mut outcome)),
        None => contain(&call, || work_along(&call, posting.as_ref())),
    }
    conclude(&call, posting, &mut outcome);
    job.finish(&outcome);
    outcome
}

/// The caller is one of the workers.
fn work_along(call: &Call, posting: Option<&Posting>) {
    let mut worker = Worker::new(call);
    worker.run_all();
    if let (Some(posting), Some(door), true) = (posting, &call.door, worker.was_refused()) {
        let end = Instant::now() + GRACE;
        let somebody_may_come = || posting.has_helpers() || posting.has_seats() && Instant::now() < end;
        while !door.admitted_any() && !call.halt.stops() && somebody_may_come() {
            std::thread::sleep(Duration::from_millis(1));
            call.check_deadline(Instant::now());
        }
    }
}

/// Waits for the helpers that have joined and sums up.
fn conclude(call: &Call, posting: Option<Posting>, outcome: &mut Outcome) {
    if let Some(posting) = posting {
        posting.shut();
        if call.forked() {
            // The helpers, and the board that they look at, are the parent's.
            call.halt.raise(Cause::ForkedChild);
            std::mem::forget(posting);
        } else {
            wait_for_helpers(call, &posting);
        }
    }
    let tally = match call.forked() {
        true => Tally::default(),
        false => call.tally.lock().unwrap_or_else(PoisonError::into_inner).clone(),
    };
    outcome.done = tally.done;
    outcome.failed = tally.failed;
    outcome.first = tally.first;
    outcome.workers = call.workers.load(Relaxed);
    outcome.busy_ns = call.busy_ns.load(Relaxed);
    if outcome.done < call.job.items() {
        call.halt.raise(Cause::NoWorker);
    }
    // What came too late to keep an item from running stopped nothing.
    let stopped = outcome.done < call.job.items();
    outcome.cause = call.halt.cause().filter(|cause| stopped || cause.spoils_all());
}

fn wait_for_helpers(call: &Call, posting: &Posting) {
    let look_until = Instant::now() + LOOK;
    while posting.has_helpers() {
        let now = Instant::now();
        if now < look_until {
            std::hint::spin_loop();
            continue;
        }
        call.check_deadline(now);
        let deadline = call.deadline.filter(|_| !call.halt.stops());
        posting.wait(deadline.map(|deadline| deadline.saturating_duration_since(now)), || true);
    }
}
