//! Virtual workers in virtual time, around the library's own schedule.

use super::costs::Costs;
use super::schedule::{NANO, Pace, Schedule};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Two looks at the clock and the bookkeeping around a hand-out.
const STAMP_NS: u64 = 25;
/// A claim on a line that the worker itself used last.
const OWN_NS: u64 = 5;
/// A group takes so many hand-outs of its own from the line of all at a time.
const REFILLS: usize = 8;

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
    /// Workers on one line; as many as `workers`: one line for all.
    pub group: usize,
    /// A claim on a line that another worker of the group used last.
    pub near_ns: u64,
    /// The same for the line of all.
    pub far_ns: u64,
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
struct Line {
    schedule: Schedule,
    /// Where its units lie among all.
    offset: usize,
    free_at: u64,
    last_user: usize,
    transfer_ns: u64,
}

impl Line {
    fn new(items: Range<usize>, grain: usize, workers: usize, transfer_ns: u64) -> Line {
        Line {
            schedule: Schedule::in_order(0..items.len(), grain, workers),
            offset: items.start,
            free_at: 0,
            last_user: usize::MAX,
            transfer_ns,
        }
    }

    /// What the user gets, and when.
    fn take(&mut self, user: usize, now: u64, pace: &mut Pace) -> (Option<Range<usize>>, u64) {
        let cost = if self.last_user == user { OWN_NS } else { self.transfer_ns };
        let done = now.max(self.free_at) + cost;
        self.free_at = done;
        self.last_user = user;
        let taken = self.schedule.take(0, pace);
        (taken.map(|units| self.offset + units.start..self.offset + units.end), done)
    }
}

impl Machine {
    fn groups(&self) -> usize {
        self.workers.div_ceil(self.group)
    }

    pub fn run(&self, costs: &Costs, sizing: Sizing) -> Outcome {
        let grain = match sizing {
            Sizing::Fixed(units) => units,
            Sizing::Rule => 1,
        };
        let grouped = self.groups() > 1;
        let mut all = Line::new(0..costs.count(), grain, self.groups(), self.far_ns);
        let line_of_group = |items| Line::new(items, grain, self.group, self.near_ns);
        let mut lines: Vec<Line> = (0..self.groups()).map(|_| line_of_group(0..0)).collect();
        if !grouped {
            lines[0] = Line::new(0..costs.count(), grain, self.workers, self.far_ns);
        }
        let mut group_paces = vec![Pace::new(None); self.groups()];
        let mut paces = vec![Pace::new(None); self.workers];
        let mut ready: BinaryHeap<_> = (0..self.workers).map(|worker| Reverse((0, worker))).collect();
        let mut outcome = Outcome { claims: 0, wall_ns: 0, work_ns: costs.total_ns(), workers: self.workers };
        while let Some(Reverse((now, worker))) = ready.pop() {
            let group = worker / self.group;
            let (mut taken, mut at) = lines[group].take(worker, now, &mut paces[worker]);
            outcome.claims += 1;
            if taken.is_none() && grouped {
                let refill;
                (refill, at) = all.take(worker, at, &mut group_paces[group]);
                outcome.claims += 1;
                if let Some(items) = refill {
                    // A refill is to last each member for REFILLS hand-outs of its own.
                    let expected = costs.of(&items) / (self.group * REFILLS) as u64;
                    group_paces[group].learn(items.len(), expected * NANO);
                    lines[group] = Line { free_at: at, ..line_of_group(items) };
                    (taken, at) = lines[group].take(worker, at, &mut paces[worker]);
                    outcome.claims += 1;
                }
            }
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
