//! The caller alone: for calls too short to be worth a second thread, or that have nobody to share with.
//!
//! No lock, no allocation, no system call, and nothing that another thread could see: a short call costs its items, a few
//! looks at the clock, and a look at the site table.

use super::index::Inside;
use super::ticks::Tick;
use crate::job::{Halt, Job, Part, Tally};
use crate::schedule::{MICRO, Pace, Picos};

/// An item of a short call that takes longer than this is not what was expected.
const SURPRISE: Picos = MICRO;

/// The second look at the clock is after so many units; the ones after that, after `SPAN` of expected work.
const SECOND_LOOK: usize = 32;
const SPAN: Picos = MICRO;

/// What the caller did alone.
pub struct Solo {
    /// The units before this one ran, unless the call was stopped.
    pub next: usize,
    pub tally: Tally,
    pub time: Picos,
}

/// Runs the only unit there is: nothing to steer, and nothing to learn that would help a longer call.
#[inline]
pub fn run_one(job: &Job, halt: &Halt, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    solo.next = 1;
    job.run(Part { units: 0..1, stride: 1 }, halt, &mut solo.tally);
}

/// Runs units that are `expected` to take so long each and not to be worth sharing, as long as the clock bears that out.
#[inline]
pub fn run_short(job: &Job, halt: &Halt, grain: usize, expected: Picos, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    let units = job.units();
    let start = Tick::now();
    let mut size = 1;
    let mut allowed = SURPRISE;
    while solo.next < units && !halt.stops() {
        let end = solo.next + size.max(grain).min(units - solo.next);
        job.run(Part { units: solo.next..end, stride: 16 }, halt, &mut solo.tally);
        solo.next = end;
        solo.time = Tick::now().since(start);
        if solo.time > allowed {
            return;
        }
        // Twice the work that was expected so far may pass; what is beyond it is worth sharing.
        size = if solo.next == 1 { SECOND_LOOK - 1 } else { (SPAN / expected).max(1) as usize };
        allowed = SURPRISE + 2 * expected * (solo.next + size) as Picos;
    }
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
    use super::{Solo, run_all, run_short};
    use crate::job::user::Items;
    use crate::job::{ForWork, Halt, Job, Tally, Work};
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
            for short in [true, false] {
                let next = AtomicUsize::new(0);
                let ctx = std::ptr::from_ref(&next).cast_mut().cast();
                let items = Items(std::ptr::null_mut());
                let job = Job::new(Work::For(ForWork { function: follow, ctx }), n, 1, false, items);
                let mut solo = Solo { next: 0, tally: Tally::default(), time: 0 };
                let halt = Halt::new(None);
                if short {
                    run_short(&job, &halt, 1, 1, &mut solo)
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
