//! Virtual workers in virtual time, around the library's own schedule.

use super::costs::Costs;
use super::schedule::{Lines, NANO, Pace, Schedule};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Two looks at the clock and the bookkeeping around a hand-out.
const STAMP_NS: u64 = 25;
/// A claim on a line that the worker itself used last.
const OWN_NS: u64 = 5;
/// As many lines as the library has for one call.
const MOST_LINES: usize = 16;
/// With fewer units for each worker it has one.
const UNITS_A_WORKER: usize = 16;

/// How large hand-outs are.
#[derive(Clone, Copy)]
pub enum Sizing {
    /// Always so many items.
    Fixed(usize),
    /// As the library does, from the time that items take.
    Rule,
}

pub struct Machine {
    pub workers: usize,
    /// Whether each worker begins at a line of its own, as far as there are lines.
    pub homes: bool,
    /// A claim on a line that another worker used last.
    pub transfer_ns: u64,
}

pub struct Outcome {
    claims: u64,
    wall_ns: u64,
    work_ns: u64,
    workers: usize,
}

impl Outcome {
    pub fn claims_per_second(&self) -> f64 {
        self.claims as f64 / (self.wall_ns as f64 / 1e9)
    }

    pub fn efficiency(&self) -> f64 {
        self.work_ns as f64 / (self.workers as f64 * self.wall_ns as f64)
    }
}

/// A cache line that serves one worker at a time.
#[derive(Clone)]
struct Served {
    free_at: u64,
    last_user: usize,
}

impl Served {
    /// When a claim that begins now is done.
    fn claim(&mut self, user: usize, now: u64, transfer_ns: u64) -> u64 {
        let cost = if self.last_user == user { OWN_NS } else { transfer_ns };
        self.free_at = now.max(self.free_at) + cost;
        self.last_user = user;
        self.free_at
    }
}

impl Machine {
    pub fn run(&self, costs: &Costs, sizing: Sizing) -> Outcome {
        let grain = match sizing {
            Sizing::Fixed(units) => units,
            Sizing::Rule => 1,
        };
        let (items, mut memory) = (0..costs.count(), Lines::new());
        let schedule = match self.homes {
            true => Schedule::with_homes(&mut memory, items, grain, self.workers),
            false => Schedule::in_order(&mut memory, items, grain, self.workers),
        };
        let enough = costs.count() >= grain * self.workers * UNITS_A_WORKER;
        let lines = if self.homes && enough { self.workers.min(MOST_LINES) } else { 1 };
        let length = costs.count().div_ceil(lines).next_multiple_of(grain);
        let mut served = vec![Served { free_at: 0, last_user: usize::MAX }; lines];
        // The line that each worker is at.
        let mut places: Vec<usize> = (0..self.workers).map(|worker| worker % lines).collect();
        let mut paces = vec![Pace::new(None); self.workers];
        let mut ready: BinaryHeap<_> = (0..self.workers).map(|worker| Reverse((0, worker))).collect();
        let mut outcome = Outcome { claims: 0, wall_ns: 0, work_ns: costs.total_ns(), workers: self.workers };
        while let Some(Reverse((now, worker))) = ready.pop() {
            outcome.claims += 1;
            let taken = schedule.take(worker, &mut paces[worker]);
            let line = taken.as_ref().map_or(places[worker] + lines - 1, |items| items.start / length) % lines;
            // Each line that it found empty on its way has come over, too.
            let passed = (line + lines - places[worker]) % lines;
            places[worker] = line;
            let at = served[line].claim(worker, now + passed as u64 * self.transfer_ns, self.transfer_ns);
            let Some(items) = taken else {
                outcome.wall_ns = outcome.wall_ns.max(at);
                continue;
            };
            let work = costs.of(&items) + STAMP_NS;
            if let Sizing::Rule = sizing {
                paces[worker].learn(items.len(), work * NANO);
            }
            ready.push(Reverse((at + work, worker)));
        }
        outcome
    }
}
