//! How many units a hand-out has: to a rank, and within a rank to a worker.
//!
//! As in `schedule`, a hand-out is a fair share of what is left, bounded by time on both sides. Between ranks a hand-out
//! costs a journey (about 100 us, with a rank 0 that naps), and at rank 0 some 10 us of work; so the bounds are wider, and
//! grow with the number of ranks, so that rank 0 is asked no more than some ten thousand times a second: with 1000 ranks,
//! each comes ten times a second. What nobody has measured yet is handed out one by one.

use crate::schedule::{MICRO, Picos};

/// A hand-out to a rank is worth the journey.
const LEAST: Picos = 500 * MICRO;
/// What rank 0 spends on a request. No hand-out is shorter than it needs to serve all ranks once: shorter ones would only
/// make the queue longer (`benches/simulate_ranks.rs`).
const REQUEST: Picos = 10 * MICRO;
/// It is no more than this, while rank 0 has time to spare: what is handed out stays in a cache.
const MOST: Picos = 1_500 * MICRO;
/// What rank 0 may spend on one.
const SERVING: Picos = 100 * MICRO;
/// A rank gets so many times as many units as the last time, and no more: one cheap unit says little of the next.
const GROWTH: usize = 8;
/// What is left is divided so that each worker comes about so many times more.
const TURNS: usize = 4;
/// A hand-out and its results have at most so many bytes, or one unit.
const BYTES: usize = 16 << 20;

/// Units that take longer than a journey are not fetched ahead: another rank may be free before.
pub const LONG: Picos = 400 * MICRO;

/// More is fetched when there is no more to do than twice what the last answers took, and this at most: so long may rank 0 take
/// where a worker of its own has the CPU.
pub const AHEAD: Picos = 1_000 * MICRO;
const AHEAD_AT_LEAST: Picos = 200 * MICRO;

/// How far ahead a rank fetches that did so `before`, and has waited so long for the answer.
pub fn ahead(before: Picos, waited: Picos) -> Picos {
    (before / 4 * 3).max(waited.saturating_mul(2)).clamp(AHEAD_AT_LEAST, AHEAD)
}

/// Who asks, and what is known.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Units that nobody has.
    pub left: usize,
    /// Workers of the rank that asks, and of all ranks.
    pub workers: usize,
    pub all_workers: usize,
    pub ranks: usize,
    /// Units that the rank had the last time; 0: none yet.
    pub last: usize,
    /// What a unit costs, if somebody has measured one.
    pub cost: Option<Picos>,
    pub grain: usize,
    /// Input and result of a unit.
    pub unit_bytes: usize,
}

/// For a rank; at least 1 if anything is left.
pub fn for_a_rank(request: &Request) -> usize {
    let workers = request.workers.max(1);
    let sized = match request.cost {
        None => workers,
        Some(cost) => {
            let worth = |work: Picos| (work / cost.max(1)).max(1) as usize;
            let fair = request.left / TURNS.saturating_mul(request.all_workers.max(1));
            let most = worth(MOST.max(SERVING * request.ranks as u64));
            let least = worth(LEAST.max(REQUEST * request.ranks as u64));
            let each = fair.max(least).min(most);
            each.saturating_mul(workers).min(request.last.max(workers).saturating_mul(GROWTH))
        }
    };
    let fits = (BYTES / request.unit_bytes.max(1)).max(1);
    whole(sized.min(fits), request.grain, request.left)
}

/// Within a rank, a hand-out is one look at a lock.
const LEAST_HERE: Picos = 20 * MICRO;
pub const MOST_HERE: Picos = 500 * MICRO;
/// The same, where the thread that works also looks for messages.
pub const MOST_OF_A_CALLER: Picos = 100 * MICRO;

/// Units that take no longer than this are brief, if so many have been seen in a row.
pub const BRIEF: Picos = 10 * MICRO;
pub const EVIDENCE: usize = 50;
/// What was handed out as brief, and took so long, was not. (A thread that has lost its CPU for a while does not count.)
pub const SURPRISE: Picos = 20_000 * MICRO;

/// For a worker of this rank, when `left` units are here for `workers` of them.
pub fn for_a_worker(left: usize, workers: usize, cost: Option<Picos>, most: Picos, last: usize, grain: usize) -> usize {
    let sized = match cost {
        None => 1,
        Some(cost) => {
            let worth = |work: Picos| (work / cost.max(1)).max(1) as usize;
            let fair = left / workers.saturating_mul(2).max(1);
            fair.max(worth(LEAST_HERE)).min(worth(most)).min(last.max(1).saturating_mul(GROWTH))
        }
    };
    whole(sized, grain, left)
}

/// No fewer than the grain, and no rest that is shorter.
fn whole(units: usize, grain: usize, left: usize) -> usize {
    let units = units.max(grain).min(left);
    if left - units < grain { left } else { units }
}

#[cfg(test)]
mod tests {
    use super::{MOST_HERE, Request, for_a_rank, for_a_worker};
    use crate::schedule::MICRO;

    const SOME: Request = Request {
        left: 1_000_000,
        workers: 1,
        all_workers: 2,
        ranks: 2,
        last: 1 << 40,
        cost: Some(MICRO / 10),
        grain: 1,
        unit_bytes: 8,
    };

    #[test]
    fn costly_items_go_one_by_one() {
        let costly = Request { left: 6, cost: Some(1_000_000 * MICRO), ..SOME };
        assert_eq!(for_a_rank(&costly), 1);
        assert_eq!(for_a_rank(&Request { workers: 3, all_workers: 6, ..costly }), 3);
        assert_eq!(for_a_rank(&Request { cost: None, ..SOME }), 1);
    }

    #[test]
    fn tiny_items_go_by_the_thousand_and_never_more_than_memory_likes() {
        let many = for_a_rank(&SOME);
        assert!((10_000..=200_000).contains(&many), "{many}");
        assert_eq!(for_a_rank(&Request { unit_bytes: 1 << 23, ..SOME }), 2);
        assert_eq!(for_a_rank(&Request { unit_bytes: 1 << 33, ..SOME }), 1);
    }

    #[test]
    fn a_rank_gets_no_more_than_its_last_share_grown() {
        assert_eq!(for_a_rank(&Request { last: 2, ..SOME }), 16);
    }

    #[test]
    fn no_hand_out_but_the_last_is_shorter_than_the_grain() {
        for grain in [2, 7, 100] {
            for left in grain..4 * grain {
                let request = Request { left, grain, last: 1, ..SOME };
                for units in [for_a_rank(&request), for_a_worker(left, 3, None, MOST_HERE, 0, grain)] {
                    assert!(units >= grain && (left - units >= grain || units == left), "{units} of {left}");
                }
            }
        }
        assert_eq!(for_a_worker(1, 1, None, MOST_HERE, 0, 7), 1);
    }
}
