//! What a worker says about itself, so that its end can be explained without it.
//!
//! One writer at a time: the worker while it lives, its supervisor before and after. Whoever reads after the worker's end
//! has waited for that end, which publishes everything; so the stores need no order but that of the program.

use crate::job::Tally;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};

/// No unit.
pub const NONE: usize = usize::MAX;

/// How far a worker's life has come.
pub mod phase {
    pub const FORKED: u32 = 0;
    /// Its `worker_start` let it in, or there is none.
    pub const WORKING: u32 = 1;
    /// Its `worker_start` kept it out.
    pub const REFUSED: u32 = 2;
    /// It runs its `worker_stop`.
    pub const STOPPING: u32 = 3;
    /// It ends because nothing is left to do.
    pub const FINISHED: u32 = 4;
    /// A bug of the library.
    pub const PANICKED: u32 = 5;
}

#[derive(Debug)]
#[repr(C, align(128))]
pub struct Record {
    /// The unit that runs, or `NONE`. Written before every unit.
    pub at: AtomicUsize,
    /// When it began, in nanoseconds of the call; kept only where items have a timeout.
    pub since: AtomicU64,
    /// The hand-out: units `begin..end`.
    begin: AtomicUsize,
    end: AtomicUsize,
    /// Items that have been done, in finished hand-outs; and what that was when the hand-out was taken. So one store
    /// tells that a hand-out is finished.
    pub settled: AtomicUsize,
    base: AtomicUsize,
    /// Those of them that failed, for whoever looks on.
    pub failed: AtomicUsize,
    /// Picoseconds spent in hand-outs.
    pub busy: AtomicU64,
    pub phase: AtomicU32,
    pub pid: AtomicI32,
    /// What the worker is about in the middle of a claim (see `claims`).
    pub intent: AtomicUsize,
    pub left_before: AtomicUsize,
    /// One more than the range whose result it is adding to the total, or 0 (see `reduce`).
    pub combining: AtomicUsize,
    /// Units of a worker that ended, which others may take: 1 if there are any.
    pub orphaned: AtomicU32,
    orphan_begin: AtomicUsize,
    orphan_end: AtomicUsize,
    /// Failures so far, of all workers that had this record.
    tally: UnsafeCell<Tally>,
}

// SAFETY: the tally has one user at a time, as told above.
unsafe impl Sync for Record {}

impl Record {
    pub fn new() -> Record {
        Record {
            at: AtomicUsize::new(NONE),
            since: AtomicU64::new(0),
            begin: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            settled: AtomicUsize::new(0),
            base: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            busy: AtomicU64::new(0),
            phase: AtomicU32::new(phase::FORKED),
            pid: AtomicI32::new(0),
            intent: AtomicUsize::new(0),
            left_before: AtomicUsize::new(0),
            combining: AtomicUsize::new(0),
            orphaned: AtomicU32::new(0),
            orphan_begin: AtomicUsize::new(0),
            orphan_end: AtomicUsize::new(0),
            tally: UnsafeCell::new(Tally::default()),
        }
    }

    /// # Safety
    /// Nobody else uses the tally: the worker lives and is the caller, or it has been waited for.
    #[expect(clippy::mut_from_ref, reason = "the one user at a time is another process before and after")]
    pub unsafe fn tally(&self) -> &mut Tally {
        // SAFETY: the caller promises to be the only one.
        unsafe { &mut *self.tally.get() }
    }

    /// Takes a hand-out, none of which has begun.
    pub fn take(&self, units: Range<usize>) {
        self.at.store(NONE, Relaxed);
        self.begin.store(units.start, Relaxed);
        self.end.store(units.end, Relaxed);
        self.base.store(self.settled.load(Relaxed), Relaxed);
    }

    /// The hand-out is finished: `done` of its items were run.
    pub fn settle(&self, done: usize) {
        self.settled.store(self.base.load(Relaxed) + done, Release);
        self.at.store(NONE, Release);
    }

    /// The hand-out that is not finished yet; empty if there is none.
    pub fn open(&self) -> Range<usize> {
        let begin = self.begin.load(Relaxed);
        if self.settled.load(Relaxed) == self.base.load(Relaxed) { begin..self.end.load(Relaxed) } else { begin..begin }
    }

    pub fn leave_orphan(&self, units: Range<usize>) {
        self.orphan_begin.store(units.start, Relaxed);
        self.orphan_end.store(units.end, Relaxed);
        self.orphaned.store(1, Release);
    }

    pub fn orphan(&self) -> Option<Range<usize>> {
        (self.orphaned.load(Acquire) == 1).then(|| self.orphan_begin.load(Relaxed)..self.orphan_end.load(Relaxed))
    }
}
