//! Who takes which items next.
//!
//! A call's units are a line that its workers take hand-outs from the front of, each hand-out by one atomic step, so that
//! every unit is taken exactly once whatever the workers do. How many units a hand-out has is each worker's own `Pace`:
//! it starts with one unit, since nothing is known of what a unit costs now, and follows the measured time.
//!
//! A hand-out is a fair share of what is left (so that a worker that comes late finds something, and expensive units at the
//! end are handed out one by one), but never more than `MOST` of work, nor less than `LEAST`. This is guided
//! self-scheduling (Polychronopoulos and Kuck, 1987) bounded by time on both sides: guided hand-outs alone begin with the
//! largest, which stalls the end when the expensive units come first, and end with many that cost more than they bring.
//!
//! Nothing here knows of threads or clocks: the time is passed in. The whole of it is model-checked with loom.
//!
//! # What a call costs
//! Measured on two cores of an AMD EPYC (Zen 4) in a virtual machine; `benches/run` repeats it.
//!
//! | the call | costs, beside its items |
//! |---|---|
//! | stays alone, because it is known to be short (`threads::brief`) | 5 ns for one item, 15 to 30 ns for more |
//! | finds a helper awake (`threads::board`) | 0.2 us until it is open; the helper begins 0.1 us later and leaves 0.3 us after the last item: in all, 1 us more than a perfect split |
//! | must wake a helper | 5 to 20 us of the caller's time, and as long again until the helper begins; only for 70 us of work or more, or when such calls have come often |
//! | the first of its process | 0.5 ms: the CPUs are counted, a thread is made |
//!
//! A claim is one atomic add: 3 ns if nobody else has claimed since, some 100 ns if another CPU has the line, and twice a
//! look at the clock of 10 ns. A hand-out of 50 us thus costs 0.3 %, the smallest, of 1 us, a tenth.
//!
//! A call takes about 1 KB of its caller's stack, whatever n is; `par_reduce` also holds a copy of `acc` for each range that
//! is done before one to its left, 1024 at most.
//!
//! # With many cores
//! One line serves some 10 million claims a second. Each worker makes 20 000, so the line is full at 500 workers. In the
//! simulation (`cargo run --release --bin simulate` in `benches`: this file with virtual workers, 100 ns a claim) a long loop
//! keeps 64 workers 99 % busy and 256 workers 97 %; with hand-outs of 10 us, as short loops have, it would be 73 % and 29 %.
//! A line for every 8 workers, refilled from the line of all, gains nothing up to 256 workers with long hand-outs and loses
//! half where costs rise towards the end, because a group keeps what it took. So there is one line. A machine of a
//! thousand cores would want longer hand-outs first, then lines for groups that others may take from.

mod homes;
mod line;
mod pace;

pub use homes::{Lines, Schedule};
pub use line::Line;
pub use pace::{Pace, SLACK};

/// Time, in picoseconds: a unit may take less than a nanosecond.
pub type Picos = u64;

pub const NANO: Picos = 1_000;
pub const MICRO: Picos = 1_000 * NANO;

#[cfg(all(test, loom))]
mod loom_tests {
    use super::{Pace, Schedule};
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn every_unit_is_taken_exactly_once() {
        for (units, grain) in [(1, 1), (3, 1), (5, 2), (6, 4)] {
            loom::model(move || {
                let schedule = Arc::new(Schedule::new(0..units, grain, 3));
                let take_all = |ticks: u64| {
                    let schedule = schedule.clone();
                    move || {
                        let mut pace = Pace::new(None);
                        let mut taken = Vec::new();
                        while let Some(part) = schedule.take(&mut pace) {
                            pace.learn(part.len(), ticks);
                            taken.extend(part);
                        }
                        taken
                    }
                };
                let others = [thread::spawn(take_all(1)), thread::spawn(take_all(u64::MAX))];
                let mut all = take_all(100)();
                others.into_iter().for_each(|other| all.extend(other.join().unwrap()));
                all.sort_unstable();
                assert_eq!(all, Vec::from_iter(0..units));
            });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{MICRO, MOST, NANO, Pace, Schedule};

    /// A made-up run: the worker whose clock is behind takes next. Answers the hand-outs and when each worker ended.
    fn run(units: usize, grain: usize, workers: usize, cost: impl Fn(usize) -> u64) -> (Vec<usize>, Vec<u64>) {
        let schedule = Schedule::new(0..units, grain, workers);
        let mut states = vec![(0u64, Pace::new(None), true); workers];
        let (mut expected, mut sizes) = (0, Vec::new());
        while let Some((clock, pace, working)) = states.iter_mut().filter(|state| state.2).min_by_key(|state| state.0) {
            match schedule.take(pace) {
                None => *working = false,
                Some(part) => {
                    assert_eq!(part.start, expected, "hand-outs follow each other");
                    expected = part.end;
                    sizes.push(part.len());
                    let ticks = part.clone().fold(0u64, |sum, i| sum.saturating_add(cost(i)));
                    pace.learn(part.len(), ticks);
                    *clock = clock.saturating_add(ticks);
                }
            }
        }
        assert_eq!(expected, units, "nothing is left");
        (sizes, states.iter().map(|state| state.0).collect())
    }

    #[test]
    fn every_unit_is_taken_once_whatever_the_size_grain_workers_and_clock() {
        let mut random = 1u64;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) % below
        };
        for _ in 0..2000 {
            let (units, grain, workers) = (next(5000) as usize, 1 + next(300) as usize, 1 + next(70) as usize);
            let (seed, spread) = (next(1000), 1 + next(1_000_000));
            let (sizes, _) = run(units, grain, workers, |i| (i as u64 * 7919 + seed) % spread);
            let short = sizes.iter().rev().skip(1).filter(|&&size| size < grain).count();
            assert_eq!(short, 0, "only the last hand-out may be shorter than the grain {grain}: {sizes:?}");
        }
    }

    #[test]
    fn a_range_as_long_as_a_size_can_be_is_handed_out() {
        let schedule = Schedule::new(0..usize::MAX, 1, 3);
        let (mut pace, mut expected) = (Pace::new(None), 0);
        while let Some(part) = schedule.take(&mut pace) {
            assert_eq!(part.start, expected);
            expected = part.end;
            pace.learn(part.len(), 1);
        }
        assert_eq!(expected, usize::MAX);
    }

    #[test]
    fn six_items_of_very_different_cost_spread() {
        let costs = [89, 55, 34, 21, 13, 8].map(|cost| cost * 1_000 * MICRO);
        let (sizes, ends) = run(6, 1, 2, |i| costs[i]);
        assert_eq!(sizes, [1; 6]);
        assert!(ends.into_iter().max().unwrap() <= costs.iter().sum::<u64>() * 51 / 100);
    }

    #[test]
    fn tiny_items_are_handed_out_by_the_thousand() {
        let (sizes, _) = run(1_000_000, 1, 2, |_| 2 * NANO);
        assert!(sizes.len() < 200, "{} hand-outs", sizes.len());
    }

    #[test]
    fn costs_that_rise_or_fall_do_not_stall_the_end() {
        let total: u64 = (0..10_000u64).sum::<u64>() * 100 * NANO;
        for rising in [true, false] {
            let cost = |i: usize| 100 * NANO * if rising { i as u64 } else { 9_999 - i as u64 };
            let (_, ends) = run(10_000, 1, 4, cost);
            // The worker that takes the last item may end by it, and no more, behind the others.
            let longest = 9_999 * 100 * NANO;
            assert!(ends.into_iter().max().unwrap() < total / 4 + longest + MOST);
        }
    }
}
