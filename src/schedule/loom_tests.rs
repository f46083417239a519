//! No unit is lost or handed out twice, in any order of steps.

use super::{Line, Lines, Pace, Schedule};
use loom::sync::Arc;
use loom::thread;

/// Has three workers take all that `take` gives, and checks that this is each of `units` once.
fn check(units: usize, take: impl Fn(usize, &mut Pace) -> Option<std::ops::Range<usize>> + Send + Sync + 'static) {
    let take = Arc::new(take);
    let take_all = |home: usize, ticks: u64| {
        let take = take.clone();
        move || {
            let mut pace = Pace::new(None);
            let mut taken = Vec::new();
            while let Some(part) = take(home, &mut pace) {
                pace.learn(part.len(), ticks);
                taken.extend(part);
            }
            taken
        }
    };
    let others = [thread::spawn(take_all(1, 1)), thread::spawn(take_all(2, u64::MAX))];
    let mut all = take_all(0, 100)();
    others.into_iter().for_each(|other| all.extend(other.join().unwrap()));
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..units));
}

#[test]
fn every_unit_of_a_line_is_taken_exactly_once() {
    for (units, grain) in [(1, 1), (3, 1), (5, 2), (6, 4)] {
        loom::model(move || {
            let line = Line::new(0..units, grain, 3);
            check(units, move |_, pace| line.take(pace));
        });
    }
}

#[test]
fn every_unit_is_taken_exactly_once_wherever_workers_begin() {
    for units in [2, 3] {
        loom::model(move || {
            let mut lines = Lines::new();
            // SAFETY: the workers have ended when `check` returns, and the lines stay until then.
            let lines: &'static mut Lines = unsafe { &mut *std::ptr::from_mut(&mut lines) };
            let schedule = Schedule::cut(lines, 0..units, 1, 3, 2);
            check(units, move |home, pace| schedule.take(home, pace));
        });
    }
}
