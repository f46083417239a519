//! The host's side of a call: forks the supervisor, looks on while it works, and brings the results home.

use super::autopsy;
use super::shared::{Call, NoMemory, Shared};
use super::supervisor::{self, Seat};
use super::system::{self, Forked, Uncancelable};
use crate::abi::status::{PAR_ITEM_FAILED, PAR_ITEM_SIGNALED, par_item};
use crate::fork::process_token;
use crate::job::user::Items;
use crate::job::{Cause, Halt, Job, Means, Outcome, Tally, Work};
use crate::options::Options;
use libc::pid_t;
use std::ptr;
use std::sync::atomic::Ordering::*;
use std::time::{Duration, Instant};

/// More workers than this help nobody.
const MOST_WORKERS: usize = 4096;

/// How often the cancel flag is looked at; a signal that comes to the calling thread makes it look at once.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How often the supervisor is looked after. It ends last and says so; only from outside can it be killed.
const CARE_EVERY: Duration = Duration::from_millis(50);

/// How long killed workers are waited for when there is no supervisor any more to do so.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(1);

const LOST: &str = "something killed their supervisor, and the system killed them with it: call again";

/// Runs the job as the options say and answers what came of it. No worker is left when it returns.
pub fn run(mut job: Job, options: &Options) -> Outcome {
    let started = Instant::now();
    let _uncancelable = Uncancelable::new();
    let hand_outs = job.units().div_ceil(job.unit_grain(options.grain));
    let workers = options.workers.min(hand_outs).min(MOST_WORKERS);
    let before = Halt::new(options.cancel);
    if workers == 0 || before.stops() {
        if let Some(poll) = options.poll {
            poll.call(job.items(), 0, 0, started.elapsed());
        }
        return Outcome { cause: before.cause().filter(|_| job.items() > 0), ..Outcome::default() };
    }
    let shared = match Shared::new(&job, options, workers) {
        Ok(shared) => shared,
        Err(lack) => return without_memory(lack),
    };
    job.redirect_items(shared.items);
    // Made here, the page that notices forks need not be made in every worker.
    process_token();
    // A deadline beyond what the clock can tell is none.
    let deadline = options.timeout.and_then(|timeout| started.checked_add(timeout));
    let call = Call { job: &job, options, workers, started, deadline, shared };
    if let (Work::Reduce(reduce), Some(line)) = (call.job.work(), &call.shared.line) {
        line.begin(reduce);
    }
    let mut lost = false;
    match fork_supervisor(&call) {
        Ok(supervisor) => {
            lost = !look_on(&call, supervisor);
            if let Some(poll) = options.poll {
                let (done, failed) = progress(&call);
                poll.call(call.job.items(), done, failed, started.elapsed());
            }
        }
        Err(errno) => {
            call.shared.control.refused.store(errno, Relaxed);
            call.shared.control.missing.store(workers, Relaxed);
            call.shared.control.halt.raise(Cause::NoProcess);
        }
    }
    bring_home(&call, lost)
}

fn fork_supervisor(call: &Call) -> Result<pid_t, i32> {
    let host = system::own_pid();
    let hooks = &call.options.fork_hooks;
    // Made here: the first allocation of a forked process would cost it half a dozen pages.
    let seats = vec![Seat::default(); call.workers];
    hooks.before();
    // No handler of the host may run in the supervisor.
    let blocked = system::block_signals();
    let forked = system::fork();
    if let Forked::Child = forked {
        supervisor::supervise(call, seats, host, &blocked);
    }
    system::set_blocked_signals(&blocked);
    hooks.after_in_parent();
    match forked {
        Forked::Parent(pid) => Ok(pid),
        Forked::Refused(errno) => Err(errno),
        Forked::Child => unreachable!("the child has become the supervisor"),
    }
}

/// Waits for the supervisor's end, polls, and passes a cancel on. False if the supervisor did not come to its end.
fn look_on(call: &Call, supervisor: pid_t) -> bool {
    let (options, control) = (call.options, call.shared.control);
    if options.poll.is_none() && options.cancel.is_none() {
        // Nothing to do meanwhile: its end is enough to wake up for.
        system::wait_until_gone(supervisor);
        let finished = control.finished.load(Acquire) != 0;
        if !finished {
            take_over(call);
        }
        return finished;
    }
    let started = call.started;
    let mut due = options.poll.map(|poll| started + poll.every);
    let mut care_at = started + CARE_EVERY;
    while control.finished.load(Acquire) == 0 {
        let now = Instant::now();
        if let (Some(poll), Some(time)) = (options.poll, due)
            && now >= time
        {
            let (done, failed) = progress(call);
            if !poll.call(call.job.items(), done, failed, started.elapsed()) {
                control.halt.raise(Cause::Poll);
                control.hurry.store(1, Relaxed);
            }
            due = Some(Instant::now() + poll.every);
        }
        if options.cancel.is_some_and(|cancel| cancel.load(Relaxed) != 0) {
            control.halt.raise(Cause::CancelFlag);
            control.hurry.store(1, Relaxed);
        }
        if now >= care_at {
            if !system::runs(supervisor) {
                break;
            }
            care_at = now + CARE_EVERY;
        }
        let look_at = if options.cancel.is_some() { care_at.min(now + LOOK_EVERY) } else { care_at };
        let wake_at = due.map_or(look_at, |due| due.min(look_at));
        system::wait_for_word(&control.finished, 0, wake_at.saturating_duration_since(Instant::now()));
    }
    if control.finished.load(Acquire) == 0 {
        take_over(call);
        return false;
    }
    system::wait_until_gone(supervisor);
    true
}

/// The supervisor was killed, and the kernel has killed its workers.
fn take_over(call: &Call) {
    let control = call.shared.control;
    control.halt.raise(Cause::WorkersDied);
    let patience = Instant::now() + ORPHANS_PATIENCE;
    for (index, record) in call.shared.records.iter().enumerate() {
        let pid = record.pid.load(Relaxed);
        if pid == 0 {
            continue;
        }
        while system::is_alive(pid) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        // A host that adopts orphans, as the first process of a container does, must not keep it as a zombie.
        system::runs(pid);
        autopsy::examine(call, index, par_item { state: PAR_ITEM_SIGNALED, code: libc::SIGKILL });
    }
}

/// Items that are done, and those of them that failed.
fn progress(call: &Call) -> (usize, usize) {
    call.shared.records.iter().fold((0, 0), |(done, failed), record| {
        let failed_here = record.failed.load(Relaxed);
        (done + record.settled.load(Relaxed).max(failed_here), failed + failed_here)
    })
}

/// Gives the caller what the workers have left, and sums up. `lost`: the supervisor did not come to its end.
fn bring_home(call: &Call, lost: bool) -> Outcome {
    let (job, options, shared) = (call.job, call.options, &call.shared);
    let (n, control) = (job.items(), shared.control);
    let mut outcome = Outcome { os_error: control.refused.load(Relaxed), ..Outcome::default() };
    let mut tally = Tally::default();
    for record in shared.records {
        // SAFETY: no worker runs any more.
        let mut counted = unsafe { record.tally() }.clone();
        counted.done = record.settled.load(Relaxed);
        tally.add(&counted);
        outcome.workers += usize::from(counted.done > 0);
        outcome.busy += record.busy.load(Relaxed);
    }
    if let Some(results) = &shared.results {
        results.deliver(n);
    }
    if let Some(lost) = shared.parcels.as_ref().and_then(|parcels| parcels.deliver(n).err()) {
        let item = par_item { state: PAR_ITEM_FAILED, code: libc::ENOMEM };
        job.fail_as(lost.item..lost.item + 1, item, &mut tally);
        let _ = control.no_room_for.compare_exchange(0, lost.item + 1, Relaxed, Relaxed);
        control.halt.raise(Cause::NoRoomForResult);
    }
    if options.items.wanted() {
        copy_items(&shared.items, &options.items, n);
    }
    outcome.done = tally.done;
    outcome.failed = tally.failed;
    outcome.first = tally.first;
    let stopped = tally.done < n;
    if stopped {
        control.halt.raise(Cause::NoWorker);
    }
    // What came too late to keep an item from running, and ended none, stopped nothing.
    let cut_short = control.cut_short.load(Relaxed) > 0;
    outcome.cause = control.halt.cause().filter(|cause| stopped || cut_short || lost || cause.spoils_all());
    outcome.remark = if lost { Some(LOST.into()) } else { remark(call, &outcome) };
    if let (Work::Reduce(reduce), Some(line)) = (job.work(), &shared.line) {
        let complete = outcome.cause.is_none() && line.is_complete();
        if complete && (outcome.failed == 0 || options.keep_going) {
            line.deliver(reduce);
        }
    }
    outcome
}

fn copy_items(from: &Items, to: &Items, n: usize) {
    // SAFETY: both have n entries, which nobody else uses any more.
    unsafe { ptr::copy_nonoverlapping(from.0, to.0, n) };
}

fn without_memory(lack: NoMemory) -> Outcome {
    let (cause, os_error, remark) = match lack {
        NoMemory::Shared(len, refused) => (
            Cause::NoSharedMemory,
            refused.0,
            format!(
                "the system gives no {len} bytes to share with the workers: map fewer items at once, or raise its limits"
            ),
        ),
        NoMemory::File(refused) => {
            (Cause::System, refused.0, "no memory file for the results: memfd_create failed".to_string())
        }
    };
    Outcome { cause: Some(cause), os_error, remark: Some(remark), ..Outcome::default() }
}

/// What the caller should know beside the outcome of the items.
fn remark(call: &Call, outcome: &Outcome) -> Option<String> {
    let control = call.shared.control;
    let missing = control.missing.load(Relaxed);
    let stillborn = control.stillborn.load(Relaxed);
    let ended_stopping = control.ended_stopping.load(Relaxed);
    let no_room_for = control.no_room_for.load(Relaxed);
    let cut_short = control.cut_short.load(Relaxed);
    let mut remarks = Vec::new();
    if cut_short > 0 {
        remarks.push(format!("items that still ran and were ended: {cut_short}"));
    }
    if no_room_for > 0 {
        remarks.push(format!("no memory for the result of item {}: map fewer items at once", no_room_for - 1));
    }
    if missing > 0 {
        let error = std::io::Error::from_raw_os_error(outcome.os_error);
        remarks.push(format!("{missing} of {} workers could not be forked: {error}", call.workers));
    }
    if stillborn > 0 {
        let item =
            par_item { state: control.stillborn_state.load(Relaxed), code: control.stillborn_code.load(Relaxed) };
        remarks.push(format!(
            "workers that ended before their first item: {stillborn}, the last one {}: look at worker_start and the fork hooks",
            Means(item)
        ));
    }
    if ended_stopping > 0 {
        remarks.push(format!("workers that ended inside worker_stop: {ended_stopping}"));
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}
