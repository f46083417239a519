//! The caller alone: in calls that have nobody to share with, and at the first units of others.

use super::brief::Stretch;
use super::here::Inside;
use super::ticks::Tick;
use crate::job::{Halt, Job, Part, Tally};
use crate::schedule::{Pace, Picos};

/// What the caller did alone.
#[derive(Debug, Default)]
pub struct Solo {
    /// The units before this one ran, unless the call was stopped.
    pub next: usize,
    pub tally: Tally,
    pub time: Picos,
}

impl Solo {
    /// Goes on where a short call turned out to be long.
    pub fn begun(stretch: Stretch) -> Solo {
        let tally = Tally { done: stretch.next, ..Tally::default() };
        Solo { next: stretch.next, tally, time: stretch.time }
    }
}

/// Runs the only unit there is: nothing to steer, and nothing to learn that would help a longer call.
#[inline]
pub fn run_one(job: &Job, halt: &Halt, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    solo.next = 1;
    job.run(Part { units: 0..1, stride: 1 }, halt, &mut solo.tally);
}

/// Runs the first units, to see whether they take what is expected.
pub fn run_first(job: &Job, halt: &Halt, units: usize, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    let start = Tick::now();
    job.run(Part { units: 0..units, stride: 1 }, halt, &mut solo.tally);
    solo.next = units;
    solo.time = Tick::now().since(start);
}

/// Runs all units, with a look at the clock now and then only to find the right stride.
pub fn run_all(job: &Job, halt: &Halt, grain: usize, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    let units = job.units();
    let start = Tick::now();
    let mut before = start;
    let mut pace = Pace::new(None);
    while solo.next < units && !halt.stops() {
        let left = units - solo.next;
        let end = solo.next + pace.size(left).max(grain).min(left);
        job.run(Part { units: solo.next..end, stride: pace.stride() }, halt, &mut solo.tally);
        let now = Tick::now();
        pace.learn(end - solo.next, now.since(before));
        before = now;
        solo.next = end;
    }
    solo.time = before.since(start);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Solo, run_all};
    use crate::job::user::Items;
    use crate::job::{ForWork, Halt, Job, Work};
    use crate::threads::brief::{Sizes, run_job};
    use crate::threads::sites::Site;
    use std::ffi::{c_int, c_void};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Counts the items of each range, which must begin where the one before it ended.
    unsafe extern "C" fn follow(begin: usize, end: usize, ctx: *mut c_void) -> c_int {
        // SAFETY: the test passes a counter that outlives the call.
        let next = unsafe { &*ctx.cast::<AtomicUsize>() };
        c_int::from(next.swap(end, Relaxed) != begin)
    }

    #[test]
    fn every_unit_runs_once_and_none_beyond_the_last() {
        for n in (1..300).chain([1 << 20]) {
            for (short, interruptible) in [(true, false), (true, true), (false, false)] {
                let next = AtomicUsize::new(0);
                let ctx = std::ptr::from_ref(&next).cast_mut().cast();
                let items = Items(std::ptr::null_mut());
                let job = Job::new(Work::For(ForWork { function: follow, ctx }), n, 1, false, items);
                let mut solo = Solo::default();
                let halt = Halt::new(None);
                if short {
                    run_job(&job, &halt, Sizes::of(1, interruptible), 1, &Site::of(7, n), &mut solo)
                } else {
                    run_all(&job, &halt, 1, &mut solo)
                }
                assert_eq!((solo.tally.done, solo.tally.failed), (solo.next, 0), "{n}");
                assert_eq!(next.load(Relaxed), solo.next, "{n}");
                assert!(if short { solo.next <= n } else { solo.next == n }, "{n}");
            }
        }
    }
}
