//! What the items of a simulated call cost.

use std::ops::Range;

pub struct Costs {
    /// Of the items before each, and of all at the end.
    before_ns: Vec<u64>,
    dearest_ns: u64,
}

impl Costs {
    fn listed(costs: impl Iterator<Item = u64>) -> Costs {
        let (mut before_ns, mut total, mut dearest_ns) = (vec![0], 0, 0);
        for cost in costs {
            total += cost;
            dearest_ns = dearest_ns.max(cost);
            before_ns.push(total);
        }
        Costs { before_ns, dearest_ns }
    }

    pub fn even(ns: u64, total_ns: u64) -> Costs {
        Costs::listed((0..total_ns / ns).map(|_| ns))
    }

    /// Shape 1.1, from 400 ns to 100 us, sorted.
    pub fn pareto(total_ns: u64, falling: bool) -> Costs {
        let (mut state, mut sum, mut costs) = (42_u64, 0, Vec::new());
        while sum < total_ns {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = ((state >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
            let cost = (400.0 * uniform.powf(-1.0 / 1.1)).min(100_000.0) as u64;
            sum += cost;
            costs.push(cost);
        }
        costs.sort_unstable();
        if falling {
            costs.reverse();
        }
        Costs::listed(costs.into_iter())
    }

    /// Exponential around that mean, in no order.
    pub fn uneven(mean_ns: u64, total_ns: u64) -> Costs {
        let mut state = 42_u64;
        Costs::listed((0..total_ns / mean_ns).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = ((state >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
            (-uniform.ln() * mean_ns as f64) as u64
        }))
    }

    pub fn count(&self) -> usize {
        self.before_ns.len() - 1
    }

    pub fn of(&self, items: &Range<usize>) -> u64 {
        self.before_ns[items.end] - self.before_ns[items.start]
    }

    pub fn total_ns(&self) -> u64 {
        self.before_ns[self.count()]
    }

    pub fn mean_ns(&self) -> u64 {
        (self.total_ns() / self.count() as u64).max(1)
    }

    /// No way of sharing is faster.
    pub fn shortest_ns(&self, workers: usize) -> u64 {
        self.dearest_ns.max(self.total_ns() / workers as u64)
    }
}
