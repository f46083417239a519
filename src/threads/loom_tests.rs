//! A call from end to end, of the parts that the library's is made of: what its caller does before it is open, and its units.

use super::board::Board;
use crate::schedule::{Lines, Pace, Schedule};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::ops::Range;

const UNITS: usize = 3;

/// What a caller posts.
struct Posted<'a> {
    schedule: Schedule<'a>,
    /// How often each unit ran: plain memory, as the caller's results are.
    runs: [UnsafeCell<u32>; UNITS],
}

impl Posted<'_> {
    fn run(&self, units: Range<usize>) {
        // SAFETY: loom reports the race if another thread has the unit, too.
        units.for_each(|unit| self.runs[unit].with_mut(|runs| unsafe { *runs += 1 }));
    }

    fn work_along(&self, home: usize, pace: &mut Pace) {
        while let Some(units) = self.schedule.take(home, pace) {
            pace.learn(units.len(), 1);
            self.run(units);
        }
    }
}

fn call(board: &Board) {
    let place = board.reserve().expect("a slot is free");
    let mut lines = Lines::new();
    let mut schedule = Schedule::in_order(&mut lines, 0..UNITS, 1, 2);
    let mut pace = Pace::new(None);
    let first = schedule.take_first(&mut pace).expect("there are units");
    let posted = Posted { schedule, runs: std::array::from_fn(|_| UnsafeCell::new(0)) };
    let posting = place.open(std::ptr::from_ref(&posted).expose_provenance(), 1);
    posted.run(first);
    posted.work_along(0, &mut pace);
    posting.shut();
    while posting.has_helpers() {
        posting.wait(None, || true);
    }
    drop(posting);
    for runs in &posted.runs {
        assert_eq!(runs.with(|runs| unsafe { *runs }), 1); // SAFETY: as in `run`.
    }
}

fn help(board: &Board) {
    let Some(seat) = board.join(0, |_| {}) else { return };
    // SAFETY: only `call` posts.
    let posted = unsafe { &*std::ptr::with_exposed_provenance::<Posted>(seat.posted) };
    posted.work_along(1, &mut Pace::new(None));
    seat.shut();
}

#[test]
fn what_the_caller_takes_first_runs_once_and_so_does_all_else() {
    loom::model(|| {
        let board = Arc::new(Board::new());
        let helper = thread::spawn({
            let board = board.clone();
            move || help(&board)
        });
        call(&board);
        helper.join().unwrap();
    });
}
