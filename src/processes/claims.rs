//! Hand-outs to processes, each of which may end at any instruction.
//!
//! The line of units is the one of all executors, behind a lock whose word names its holder. A claim takes a few dozen
//! nanoseconds and comes once per hand-out, so nobody waits for long; and if the holder ends inside, its record says what it
//! was about, so that its supervisor can tell whether the claim counts, and open the lock again. No unit is lost, none is
//! handed out twice.

use super::record::Record;
use super::system;
use crate::schedule::{Line, Pace};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};

/// Intents of a claim; below them: one more than the record whose orphans are taken.
const NOTHING: usize = 0;
const FROM_SCHEDULE: usize = usize::MAX;

/// Looks at a held lock before another process is let onto the CPU.
const SPINS: u32 = 100;

#[derive(Debug)]
#[repr(C, align(128))]
pub struct Claims {
    /// One more than the index of the worker inside; 0: nobody.
    holder: AtomicU32,
    /// How many records have orphans.
    orphans: AtomicUsize,
    units: usize,
    line: Line,
}

impl Claims {
    pub fn new(units: usize, grain: usize, workers: usize) -> Claims {
        let line = Line::new(0..units, grain, workers);
        Claims { holder: AtomicU32::new(0), orphans: AtomicUsize::new(0), units, line }
    }

    /// Takes the next hand-out for worker `me` and notes it in its record; None when nothing is left.
    pub fn take(&self, records: &[Record], me: usize, pace: &mut Pace) -> Option<Range<usize>> {
        self.lock(me);
        let record = &records[me];
        let taken = self.take_orphans(records, me).or_else(|| {
            let left = self.line.left();
            if left == 0 {
                return None;
            }
            record.left_before.store(left, Relaxed);
            record.intent.store(FROM_SCHEDULE, Release);
            let units = self.line.take(pace)?;
            record.take(units.clone());
            Some(units)
        });
        record.intent.store(NOTHING, Release);
        self.holder.store(0, Release);
        taken
    }

    fn take_orphans(&self, records: &[Record], me: usize) -> Option<Range<usize>> {
        if self.orphans.load(Acquire) == 0 {
            return None;
        }
        // Its own first, so that a record never has orphans of two workers.
        let mut candidates = std::iter::once(me).chain(0..records.len());
        let (from, units) = candidates.find_map(|from| Some((from, records[from].orphan()?)))?;
        records[me].intent.store(from + 1, Release);
        records[me].take(units.clone());
        records[from].orphaned.store(0, Release);
        self.orphans.fetch_sub(1, Release);
        Some(units)
    }

    /// For the supervisor, of a worker that has ended: settles a claim that it was in the middle of.
    pub fn repair(&self, records: &[Record], dead: usize) {
        if self.holder.load(Acquire) != dead as u32 + 1 {
            return;
        }
        let record = &records[dead];
        match record.intent.load(Acquire) {
            NOTHING => {}
            FROM_SCHEDULE => {
                let first = |left: usize| self.units - left;
                record.take(first(record.left_before.load(Relaxed))..first(self.line.left()));
            }
            from => {
                let untaken = records[from - 1].orphaned.load(Acquire) == 1;
                if untaken {
                    record.take(0..0);
                }
                let orphans = records.iter().filter(|record| record.orphaned.load(Acquire) == 1).count();
                self.orphans.store(orphans, Release);
            }
        }
        record.intent.store(NOTHING, Release);
        self.holder.store(0, Release);
    }

    /// For the supervisor: these units of a worker that has ended may be taken by others.
    pub fn give_back(&self, record: &Record, units: Range<usize>) {
        if !units.is_empty() {
            // Counted first: then the count is never short, and whoever sees it finds the orphans or takes something else.
            self.orphans.fetch_add(1, Release);
            record.leave_orphan(units);
        }
    }

    /// Whether there is anything to take.
    pub fn any_left(&self) -> bool {
        self.line.left() > 0 || self.orphans.load(Acquire) > 0
    }

    fn lock(&self, me: usize) {
        let mut spins = 0;
        while self.holder.compare_exchange_weak(0, me as u32 + 1, Acquire, Relaxed).is_err() {
            spins += 1;
            if spins % SPINS == 0 { system::yield_cpu() } else { std::hint::spin_loop() }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Claims, FROM_SCHEDULE};
    use crate::processes::record::Record;
    use crate::schedule::Pace;
    use std::ops::Range;
    use std::sync::atomic::Ordering::*;

    struct Scene {
        claims: Claims,
        records: Vec<Record>,
    }

    impl Scene {
        fn new(units: usize) -> Scene {
            Scene { claims: Claims::new(units, 1, 2), records: (0..2).map(|_| Record::new()).collect() }
        }

        fn take(&self, me: usize) -> Option<Range<usize>> {
            self.claims.take(&self.records, me, &mut Pace::new(None))
        }

        /// Worker 0 ends here: what it leaves goes to worker 1, and then everything else does.
        fn worker_0_ends(&self) -> Vec<usize> {
            self.claims.repair(&self.records, 0);
            let left = self.records[0].open();
            self.records[0].take(0..0);
            self.claims.give_back(&self.records[0], left);
            let mut taken: Vec<usize> = std::iter::from_fn(|| self.take(1)).flatten().collect();
            assert!(!self.claims.any_left());
            taken.sort_unstable();
            taken
        }
    }

    #[test]
    fn a_worker_that_ends_before_its_claim_has_taken_nothing() {
        let scene = Scene::new(5);
        scene.claims.lock(0);
        scene.records[0].left_before.store(5, Relaxed);
        scene.records[0].intent.store(FROM_SCHEDULE, Relaxed);
        assert_eq!(scene.worker_0_ends(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_claim_that_its_worker_did_not_live_to_note_is_not_lost() {
        let scene = Scene::new(5);
        assert_eq!(scene.take(1), Some(0..1));
        scene.claims.lock(0);
        scene.records[0].left_before.store(4, Relaxed);
        scene.records[0].intent.store(FROM_SCHEDULE, Relaxed);
        assert_eq!(scene.claims.line.take(&mut Pace::new(None)), Some(1..2));
        assert_eq!(scene.worker_0_ends(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_claim_that_was_noted_is_not_given_out_twice() {
        let scene = Scene::new(5);
        assert_eq!(scene.take(0), Some(0..1));
        scene.claims.lock(0);
        scene.records[0].intent.store(FROM_SCHEDULE, Relaxed);
        scene.records[0].left_before.store(5, Relaxed);
        assert_eq!(scene.worker_0_ends(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn orphans_are_taken_once_at_whatever_step_their_taker_ends() {
        for step in 0..4 {
            let scene = Scene::new(5);
            assert_eq!(scene.take(1), Some(0..1));
            scene.claims.give_back(&scene.records[1], 0..1);
            scene.records[1].take(0..0);
            scene.claims.lock(0);
            if step > 0 {
                scene.records[0].intent.store(1 + 1, Relaxed);
            }
            if step > 1 {
                scene.records[0].take(0..1);
            }
            if step > 2 {
                scene.records[1].orphaned.store(0, Relaxed);
            }
            assert_eq!(scene.worker_0_ends(), [0, 1, 2, 3, 4], "step {step}");
        }
    }

    #[test]
    fn a_worker_takes_its_own_orphans_first() {
        let scene = Scene::new(10);
        assert_eq!((scene.take(0), scene.take(1)), (Some(0..1), Some(1..2)));
        for (worker, units) in [(0, 0..1), (1, 1..2)] {
            scene.claims.give_back(&scene.records[worker], units);
            scene.records[worker].take(0..0);
        }
        assert_eq!(scene.take(1), Some(1..2));
        assert_eq!(scene.take(1), Some(0..1));
    }
}
