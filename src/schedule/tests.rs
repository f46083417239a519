//! Every unit once, whatever the sizes and costs; and how hand-outs are cut.

use super::pace::MOST;
use super::{Lines, MICRO, NANO, Pace, Schedule};

struct Run {
    sizes: Vec<usize>,
    ends: Vec<u64>,
}

/// A made-up run: the worker whose clock is behind takes next.
fn run(units: usize, grain: usize, workers: usize, homes: bool, cost: impl Fn(usize) -> u64) -> Run {
    let mut lines = Lines::new();
    let schedule = match homes {
        true => Schedule::with_homes(&mut lines, 0..units, grain, workers),
        false => Schedule::in_order(&mut lines, 0..units, grain, workers),
    };
    let mut states = vec![(0u64, Pace::new(None), true); workers];
    let (mut taken, mut sizes, mut next) = (vec![false; units], Vec::new(), 0);
    while let Some(worker) = (0..workers).filter(|&worker| states[worker].2).min_by_key(|&worker| states[worker].0) {
        let (clock, pace, working) = &mut states[worker];
        match schedule.take(worker, pace) {
            None => *working = false,
            Some(part) => {
                assert!(homes || part.start == next, "hand-outs follow each other");
                next = part.end;
                let short = part.len() < grain && part.end != units;
                assert!(!short, "only the last hand-out may be shorter than the grain {grain}: {part:?} of {units}");
                part.clone().for_each(|i| assert!(!std::mem::replace(&mut taken[i], true), "{i} is taken twice"));
                sizes.push(part.len());
                let ticks = part.clone().fold(0u64, |sum, i| sum.saturating_add(cost(i)));
                pace.learn(part.len(), ticks);
                *clock = clock.saturating_add(ticks);
            }
        }
    }
    assert!(taken.into_iter().all(|taken| taken), "nothing is left");
    assert_eq!(schedule.left(), 0);
    Run { sizes, ends: states.iter().map(|state| state.0).collect() }
}

#[test]
fn every_unit_is_taken_once_whatever_the_size_grain_workers_and_clock() {
    let mut random = 1u64;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % below
    };
    for i in 0..4000 {
        let (units, grain, workers) = (next(5000) as usize, 1 + next(300) as usize, 1 + next(70) as usize);
        let (grain, workers) = if i % 4 == 0 { (1 + grain % 4, 1 + workers % 20) } else { (grain, workers) };
        let (seed, spread) = (next(1000), 1 + next(1_000_000));
        run(units, grain, workers, i % 2 == 0, |i| (i as u64 * 7919 + seed) % spread);
    }
}

#[test]
fn a_range_as_long_as_a_size_can_be_is_handed_out() {
    let mut lines = Lines::new();
    let schedule = Schedule::in_order(&mut lines, 0..usize::MAX, 1, 3);
    let (mut pace, mut expected) = (Pace::new(None), 0);
    while let Some(part) = schedule.take(0, &mut pace) {
        assert_eq!(part.start, expected);
        expected = part.end;
        pace.learn(part.len(), 1);
    }
    assert_eq!(expected, usize::MAX);
}

#[test]
fn lines_as_long_as_sizes_can_be_are_handed_out() {
    for grain in [1, 1000, usize::MAX] {
        let mut lines = Lines::new();
        let schedule = Schedule::with_homes(&mut lines, 0..usize::MAX, grain, 3);
        let (mut pace, mut sum) = (Pace::new(None), 0usize);
        while let Some(part) = schedule.take(1, &mut pace) {
            sum = sum.checked_add(part.len()).expect("no unit is taken twice");
            assert!(schedule.left_by(&pace) >= schedule.left(), "lines that have not been seen are taken to be full");
            pace.learn(part.len(), 1);
        }
        assert_eq!(sum, usize::MAX, "grain {grain}");
    }
}

#[test]
fn a_hand_out_as_long_as_a_size_can_be_takes_what_is_expected() {
    let mut pace = Pace::new(Some(1));
    assert!(pace.expects(usize::MAX, NANO));
    pace.learn(usize::MAX, NANO);
    assert_eq!(pace.size(usize::MAX), usize::MAX);
}

#[test]
fn the_first_hand_out_is_part_of_the_whole() {
    let mut lines = Lines::new();
    let mut schedule = Schedule::with_homes(&mut lines, 10..1000, 1, 2);
    let mut pace = Pace::new(Some(10 * NANO));
    schedule.trust(&mut pace);
    let first = schedule.take_first(&mut pace).expect("there are units");
    assert_eq!(first.start, 10);
    assert!(first.len() > 100, "{first:?}: what is expected is trusted");
    assert_eq!(schedule.left(), 990 - first.len());
    assert_eq!(schedule.take(0, &mut pace).map(|part| part.start), Some(first.end));
}

#[test]
fn each_worker_begins_at_the_same_units_in_every_call() {
    for _ in 0..2 {
        let mut lines = Lines::new();
        let schedule = Schedule::with_homes(&mut lines, 0..1000, 1, 4);
        for home in [2, 0, 3, 1] {
            let part = schedule.take(home, &mut Pace::new(None)).expect("there are units");
            assert_eq!(part.start, home * 250);
        }
    }
}

#[test]
fn six_items_of_very_different_cost_spread() {
    let costs = [89, 55, 34, 21, 13, 8].map(|cost| cost * 1_000 * MICRO);
    let Run { sizes, ends } = run(6, 1, 2, true, |i| costs[i]);
    assert_eq!(sizes, [1; 6]);
    assert!(ends.into_iter().max().unwrap() <= costs.iter().sum::<u64>() * 51 / 100);
}

#[test]
fn tiny_items_are_handed_out_by_the_thousand() {
    for homes in [true, false] {
        let Run { sizes, .. } = run(1_000_000, 1, 2, homes, |_| 2 * NANO);
        assert!(sizes.len() < 200, "{} hand-outs", sizes.len());
    }
}

#[test]
fn costs_that_rise_or_fall_do_not_stall_the_end() {
    let total: u64 = (0..10_000u64).sum::<u64>() * 100 * NANO;
    for (rising, homes) in [(true, true), (true, false), (false, true), (false, false)] {
        let cost = |i: usize| 100 * NANO * if rising { i as u64 } else { 9_999 - i as u64 };
        let Run { ends, .. } = run(10_000, 1, 4, homes, cost);
        // The worker that takes the last item may end by it, and no more, behind the others.
        let longest = 9_999 * 100 * NANO;
        assert!(ends.into_iter().max().unwrap() < total / 4 + longest + MOST);
    }
}
