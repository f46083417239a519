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
pub fn run_short(job: &Job, halt: &Halt, expected: Picos, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    let units = job.units();
    let start = Tick::now();
    let mut size = 1;
    let mut allowed = SURPRISE;
    while solo.next < units && !halt.stops() {
        let end = solo.next + size.min(units - solo.next);
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
pub fn run_all(job: &Job, halt: &Halt, solo: &mut Solo) {
    let _inside = Inside::enter(0);
    let units = job.units();
    let start = Tick::now();
    let mut before = start;
    let mut pace = Pace::new(None);
    while solo.next < units && !halt.stops() {
        let left = units - solo.next;
        let end = solo.next + pace.size(left).min(left);
        job.run(Part { units: solo.next..end, stride: pace.stride() }, halt, &mut solo.tally);
        let now = Tick::now();
        pace.learn(end - solo.next, now.since(before));
        before = now;
        solo.next = end;
    }
    solo.time = before.since(start);
}
