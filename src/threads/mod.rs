//! The executor on native threads.
//!
//! A short call stays with its caller (`brief`), which `sites` knows from the calls before it; so does one that has nobody to
//! share with (`solo`). Any other may open its loop on the
//! `board`, where idle helpers find it: `caller` decides when, works on the loop itself, or looks on if it has a `poll`
//! (`looker`). `pool` owns the helpers, `attention` says how long they stay awake and when to wake one, `crowding` where to. `call` is what the
//! workers of one call share, `worker` how one takes part, `hooks` how it is let in.

mod attention;
mod board;
mod brief;
mod call;
mod caller;
mod crowding;
mod futex;
mod here;
mod hooks;
mod looker;
#[cfg(all(test, loom))]
mod loom_tests;
mod pool;
mod sites;
mod solo;
mod ticks;
mod worker;

pub use brief::run_plain;
pub use here::{Inside, worker_index};
pub use pool::default_stack_size;

use crate::job::{Cause, Halt, Job, Outcome, Tally};
use crate::options::Options;
use crate::schedule::{Lines, MICRO, NANO, Picos, SLACK};
use board::{MOST_SEATS, Posting};
use brief::Sizes;
use call::Call;
use caller::Opening;
use sites::Site;
pub use solo::Solo;
use std::time::{Duration, Instant};
use worker::contain;
pub use worker::end_the_child;

/// From so much work on, a sleeping helper is woken.
const WAKE_FROM: Picos = 70 * MICRO;

/// A first range that is expected to take no longer is run before the call is opened: what it takes tells how the call is to
/// be cut, and helpers that come begin with that knowledge.
const FIRST_MOST: Picos = 200 * NANO;

/// How often a caller looks for its last helper before it sleeps: for about as long as a hand-out takes.
const LOOKS: u32 = 2_000;

/// Runs the job as the options say, from where `solo` ended, and answers what came of it. No callback runs any more when it
/// returns.
pub fn run(job: &Job, options: &Options, mut solo: Solo) -> Outcome {
    let halt = Halt::new(options.cancel);
    let site = Site::of_units(job.function(), job.items(), job.items_of_a_unit());
    let hand_outs = job.units().div_ceil(job.unit_grain(options.grain));
    let workers = options.workers.min(hand_outs).clamp(1, MOST_SEATS);
    if solo.next == 0 {
        contain(&halt, || begin_alone(job, &halt, options, workers, &site, &mut solo));
    }
    let mut outcome = Outcome::default();
    if solo.next == job.units() || halt.stops() {
        if let Some(poll) = options.poll {
            poll.call(job.items(), solo.tally.done, solo.tally.failed, Duration::from_nanos(solo.time / 1_000));
        }
        sum_up(&mut outcome, job, &halt, &solo.tally, solo.time);
        outcome.workers = 1;
    } else {
        // What has been seen of this call counts for more than what other calls were like.
        let seen = (solo.next > 0).then(|| solo.time / solo.next as u64);
        let expected = match site.cost() {
            Some(cost) if seen.is_some_and(|seen| seen <= cost.saturating_mul(2).saturating_add(SLACK)) => Some(cost),
            cost => seen.max(cost),
        };
        run_open(job, &halt, options, workers, solo, expected, &mut outcome);
        site.learn(outcome.busy, outcome.done);
    }
    job.finish(&outcome);
    outcome
}

/// Runs the first items of a call that is known to be short, the first range of another if that is, or all of a call that has
/// nobody to share with.
#[inline]
fn begin_alone(job: &Job, halt: &Halt, options: &Options, workers: usize, site: &Site, solo: &mut Solo) {
    let (units, grain) = (job.units(), job.unit_grain(options.grain));
    let watched = options.hooks.is_some() || options.timeout.is_some();
    if units == 0 || watched || halt.stops() {
        return;
    }
    if let Some(cost) = brief::expected(site, units).filter(|_| units > 1) {
        let interruptible = options.poll.is_some() || options.cancel.is_some();
        brief::run_job(job, halt, Sizes::of(grain, interruptible), cost, site, solo);
    }
    let first = grain.min(units);
    let knows_first = site.cost().is_some_and(|cost| cost.saturating_mul(first as u64) <= FIRST_MOST);
    if workers > 1 && solo.next == 0 && options.poll.is_none() && knows_first {
        solo::run_first(job, halt, first, solo);
    }
    if workers == 1 && options.poll.is_none() && solo.next < units {
        if units == 1 {
            solo::run_one(job, halt, solo);
        } else {
            solo::run_all(job, halt, grain, solo);
            site.learn(solo.time, solo.tally.done);
        }
    }
}

/// Runs what is left with the helpers that come.
fn run_open(
    job: &Job,
    halt: &Halt,
    options: &Options,
    workers: usize,
    solo: Solo,
    expected: Option<Picos>,
    outcome: &mut Outcome,
) {
    let began_alone = solo.next > 0;
    let pool = pool::current();
    let may_be_shared = workers > 1 || options.poll.is_some();
    let reserved = if may_be_shared { pool.board.reserve() } else { None };
    let mut lines = Lines::new();
    let mut call = Call::new(job, halt, options, workers, expected, &solo, &mut lines);
    let mut opening = Opening::new(pool, reserved, &mut call, options, workers);
    let call = opening.call;
    match &options.poll {
        Some(poll) => contain(halt, || looker::look_on(&mut opening, poll)),
        None => contain(halt, || caller::work_along(&mut opening)),
    }
    if let Some(posting) = opening.posting.take() {
        wait_for_helpers(call, posting);
    }
    let tally = if call.forked() {
        halt.raise(Cause::ForkedChild); // by a callback of the last hand-out, or by `poll`
        Tally::default()
    } else {
        call.tally()
    };
    sum_up(outcome, job, halt, &tally, call.busy());
    outcome.workers = call.workers().max(usize::from(began_alone));
    outcome.remark = opening.remark.take();
    outcome.os_error = opening.os_error;
}

/// Waits until the helpers that have joined have left, and takes the loop off the board.
fn wait_for_helpers(call: &Call, posting: Posting) {
    posting.shut();
    if call.forked() {
        // The helpers, and the board that they look at, are the parent's.
        return std::mem::forget(posting);
    }
    let mut looks = 0;
    while posting.has_helpers() {
        if looks < LOOKS {
            looks += 1;
            std::hint::spin_loop();
            continue;
        }
        call.check_deadline();
        let deadline = call.deadline.filter(|_| !call.halt.stops());
        posting.wait(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())), || true);
    }
}

fn sum_up(outcome: &mut Outcome, job: &Job, halt: &Halt, tally: &Tally, busy: Picos) {
    outcome.done = tally.done;
    outcome.failed = tally.failed;
    outcome.first = tally.first;
    outcome.busy = busy;
    let stopped = tally.done < job.items();
    if stopped {
        halt.raise(Cause::NoWorker);
    }
    // What came too late to keep an item from running stopped nothing.
    outcome.cause = halt.cause().filter(|cause| stopped || cause.spoils_all());
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::job::user::{ForkHooks, Items};
    use crate::job::{Cause, Job, Outcome, ReduceWork, Work};
    use crate::options::{Executor, Options};
    use crate::threads::sites::Site;
    use crate::threads::solo::Solo;
    use std::ffi::{c_int, c_void};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    fn outcome_of(work: Work, n: usize, grain: usize, workers: usize) -> Outcome {
        let (items, keep_going) = (Items(std::ptr::null_mut()), true);
        let job = Job::new(work, n, grain, keep_going, items);
        let options = Options {
            executor: Executor::Threads,
            workers,
            grain,
            keep_going,
            timeout: None,
            item_timeout: None,
            cancel: None,
            poll: None,
            hooks: None,
            fork_hooks: ForkHooks::NONE,
            items,
        };
        super::run(&job, &options, Solo::default())
    }

    /// What became of a job that has a bug of the library in every item.
    fn run(n: usize, workers: usize) -> Option<Cause> {
        outcome_of(Work::Panic, n, 1, workers).cause
    }

    /// Succeeds if two ranges are ever in it at once.
    unsafe extern "C" fn meet(_: usize, _: usize, _: *mut c_void, ctx: *mut c_void) -> c_int {
        // SAFETY: the test passes a counter that outlives the call.
        let begun = unsafe { &*ctx.cast::<AtomicUsize>() };
        begun.fetch_add(1, Relaxed);
        let end = Instant::now() + Duration::from_secs(5);
        while begun.load(Relaxed) < 2 && Instant::now() < end {
            std::thread::yield_now();
        }
        c_int::from(begun.load(Relaxed) < 2)
    }

    unsafe extern "C" fn combine(_: *mut c_void, _: *const c_void, _: *mut c_void) -> c_int {
        0
    }

    #[test]
    fn few_long_ranges_of_a_reduce_are_shared_though_its_items_are_short() {
        let (begun, mut acc) = (AtomicUsize::new(0), 0u64);
        let (ctx, acc) = (std::ptr::from_ref(&begun).cast_mut().cast(), std::ptr::from_mut(&mut acc).cast());
        let reduce = ReduceWork { fold: meet, combine, ctx, acc, acc_size: size_of::<u64>() };
        Site::of(reduce.fold as usize, 2_000_000).learn(100_000, 1);
        let outcome = outcome_of(Work::Reduce(reduce), 2_000_000, 1_000_000, 2);
        assert_eq!((outcome.failed, outcome.workers), (0, 2));
    }

    #[test]
    fn a_panic_of_the_library_stops_the_call_and_goes_no_further() {
        for (n, workers) in [(1, 1), (2, 1), (1000, 1), (2, 2), (1000, 4)] {
            assert_eq!(run(n, workers), Some(Cause::Panicked), "{n} items, {workers} workers");
        }
    }
}
