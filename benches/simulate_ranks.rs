//! What rank 0 can serve. Ranks ask for ranges by messages, results ride on the next request, and rank 0 answers one message after
//! the other: `cargo run --release --bin simulate_ranks` shows, for clusters larger than the one at hand, how many requests a second
//! that is, when it becomes the limit, and what two remedies bring.
//!
//! ## The protocol
//! A hand-out is a quarter of what would be a rank's fair share of the rest. That makes some 4 ln(n / 4R) + 4 requests a rank,
//! whatever the items cost, so the question is how long the whole call is: a second of work a rank is some 25 requests a
//! second of each, and 1000 ranks are 25 000 a second.
//!
//! ## When rank 0 is the limit
//! It serves a request in `SERVE_NS`, so it can serve 100 000 a second, and R ranks come back to it no sooner than after R x
//! SERVE_NS: hand-outs that are shorter only lengthen the queue. At 1000 ranks that is 10 ms, at 10 000 ranks 100 ms. The first
//! remedy follows, and the library takes it (`REQUEST` in `src/mpi/call/share.rs`): no hand-out shorter than R x SERVE_NS, which
//! rank 0 knows from the time that items take. It costs at most one such hand-out at the end, when ranks wait for the last.
//!
//! The second remedy, which the library has no need of yet, is a leader for every group of ranks, who asks rank 0 for a refill
//! while half of the last is left. Rank 0 then serves R / group leaders, and a hand-out need last only as long as a leader needs
//! for its group, 32 x SERVE_NS = 0.3 ms.
//!
//! ## What came out
//! Efficiency, and the load of rank 0, with 1000 ranks and even items (uneven ones differ by a percent or two):
//!
//! | work of each rank | a quarter, however short | the library | never shorter than R x SERVE_NS | a leader for 32 ranks |
//! |---|---|---|---|---|
//! | 10 ms | 3 %, 100 % | 19 %, 100 % | 50 %, 100 % | 85 %, 36 % |
//! | 100 ms | 31 %, 90 % | 72 %, 81 % | 85 %, 73 % | 95 %, 7 % |
//! | 1 s | 87 %, 26 % | 96 %, 22 % | 96 %, 17 % | 99.6 %, 1 % |
//! | 10 s | 99.9 %, 3 % | 99.9 %, 11 % | 99.9 %, 3 % | 99.8 %, 0 % |
//!
//! (The library begins with single items, since it does not know yet what they cost, and asks more often in long calls, since it
//! hands out no more than a tenth of a second's work.) So rank 0 alone serves 1000 ranks well from a second of work on, and calls
//! shorter than that are rarely worth a cluster. Leaders pay for calls of a tenth of a second at 1000 ranks, of a second at 4000.
//!
//! ## Bytes
//! All inputs leave rank 0 and all results come to it. A link of 10 GB/s carries 10 bytes a nanosecond: items of b bytes in and out, and
//! c ns of work, keep R ranks busy while b / 10 < c / R. With 8 bytes in and 8 out, 1000 ranks need items of 1.6 us and more.
//! Leaders change nothing about that, since what they hand on has to come from rank 0, too.

#[path = "../src/atomic.rs"]
#[allow(unused_imports, reason = "the schedule needs a part of it")]
mod atomic;
#[path = "simulate/costs.rs"]
#[allow(dead_code, reason = "the simulation needs a part of it")]
mod costs;
#[path = "simulate/ranks.rs"]
mod ranks;
#[path = "../src/schedule/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the simulation needs its units of time alone")]
mod schedule;
#[path = "../src/mpi/call/share.rs"]
#[allow(dead_code, reason = "the simulation needs a part of it")]
mod share;

use costs::Costs;
use ranks::{Cluster, Outcome};

/// What rank 0 spends on a request: receiving it with its results, putting these in their place, answering.
const SERVE_NS: u64 = 10_000;
/// Between machines of a cluster with a fast network; TCP takes ten times as long, which changes little.
const LATENCY_NS: u64 = 2_000;
const RANKS: [usize; 5] = [16, 64, 256, 1_000, 4_000];
/// Work of each rank; the longer it is, the less rank 0 matters.
const WORK_MS: [u64; 4] = [10, 100, 1_000, 10_000];
const ITEMS_PER_RANK: u64 = 1_000;
const GROUP: usize = 32;

fn line(cells: impl IntoIterator<Item = String>) {
    println!("| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "));
}

fn shown(outcome: &Outcome) -> String {
    let (asked, load, efficiency) = (outcome.requests_per_second() / 1e3, outcome.load(), outcome.efficiency());
    format!("{efficiency:.1} %, {asked:.0}k/s, {load:.0} %", efficiency = efficiency * 100.0, load = load * 100.0)
}

fn table(title: &str, costs: impl Fn(u64, u64) -> Costs, cluster: impl Fn(usize) -> Cluster) {
    println!("\n{title}:\n");
    line(["ranks".into()].into_iter().chain(WORK_MS.map(|ms| format!("{ms} ms of work a rank"))));
    println!("|{}", "---|".repeat(WORK_MS.len() + 1));
    for ranks in RANKS {
        let cells = WORK_MS.map(|ms| {
            let total = ms * 1_000_000 * ranks as u64;
            shown(&cluster(ranks).run(&costs(ms * 1_000_000 / ITEMS_PER_RANK, total)))
        });
        line([ranks.to_string()].into_iter().chain(cells));
    }
}

fn flat(ranks: usize) -> Cluster {
    Cluster { as_the_library: false, ranks, group: ranks, serve_ns: SERVE_NS, latency_ns: LATENCY_NS, shortest_ns: 0 }
}

fn library(ranks: usize) -> Cluster {
    Cluster { as_the_library: true, ..flat(ranks) }
}

fn patient(ranks: usize) -> Cluster {
    Cluster { shortest_ns: SERVE_NS * ranks as u64, ..flat(ranks) }
}

fn grouped(ranks: usize) -> Cluster {
    let groups = ranks.div_ceil(GROUP) as u64;
    Cluster { group: GROUP, shortest_ns: SERVE_NS * groups.max(GROUP as u64), ..flat(ranks) }
}

fn main() {
    println!(
        "{ITEMS_PER_RANK} items a rank; each cell: efficiency (work / (ranks x time)), requests at rank 0, its load."
    );
    type Kind = (&'static str, fn(u64, u64) -> Costs);
    let kinds: [Kind; 2] = [("even items", Costs::even), ("exponential costs", Costs::uneven)];
    for (name, costs) in kinds {
        table(&format!("All ask rank 0, {name}"), costs, flat);
        table(&format!("All ask rank 0, no hand-out shorter than it needs to serve all, {name}"), costs, patient);
        table(&format!("All ask rank 0, as the library does, {name}"), costs, library);
        table(&format!("A leader for every {GROUP} ranks, {name}"), costs, grouped);
    }
}
