//! What a call's schedule does on machines that are larger than the one at hand: the library's own `schedule`, driven by virtual
//! workers in virtual time. Taking a hand-out costs the time that a cache line needs to come over from another core, and the line
//! serves one worker at a time.
//!
//! `cargo run --release --bin simulate` prints, in markdown: claims per second and efficiency (work / (workers x time)) by the size
//! of a hand-out; and, for short calls, one line for all workers against lines that are the homes of some of them.

#[path = "../src/atomic.rs"]
#[allow(unused_imports, reason = "the schedule needs a part of it")]
mod atomic;
#[path = "simulate/costs.rs"]
#[allow(dead_code, reason = "the simulation needs a part of it")]
mod costs;
#[path = "simulate/machine.rs"]
mod machine;
#[path = "../src/schedule/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the simulation needs a part of it")]
mod schedule;

use costs::Costs;
use machine::{Machine, Outcome, Sizing};

const WORKERS: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];
const HAND_OUT_NS: [u64; 5] = [1_000, 3_000, 10_000, 30_000, 100_000];
/// The work that each worker would have if it were shared evenly.
const SHARE_NS: u64 = 5_000_000;
/// What a short call has to do, all in all.
const SHORT_NS: u64 = 2_000_000;
/// A cache line comes over from another core.
const TRANSFER_NS: u64 = 100;

fn line(cells: impl IntoIterator<Item = String>) {
    println!("| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "));
}

fn heading(cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    let columns = cells.len();
    line(cells);
    println!("|{}", "---|".repeat(columns));
}

fn shown(outcome: &Outcome) -> String {
    format!("{:.0}k/s, {:.0} %", outcome.claims_per_second() / 1e3, outcome.efficiency() * 100.0)
}

/// Claims per second and efficiency, by workers and by size of the hand-outs.
fn by_size(title: &str, costs: impl Fn(u64) -> Costs) {
    println!("\n{title}; one line, {TRANSFER_NS} ns a claim:\n");
    heading(
        ["workers".into()]
            .into_iter()
            .chain(HAND_OUT_NS.map(|ns| format!("{} us a hand-out", ns / 1000)))
            .chain(["the library's rule".into()]),
    );
    for workers in WORKERS {
        let costs = costs(SHARE_NS * workers as u64);
        let flat = Machine { workers, homes: false, transfer_ns: TRANSFER_NS };
        let fixed = HAND_OUT_NS.map(|ns| {
            let units = (ns / costs.mean_ns()).max(1) as usize;
            shown(&flat.run(&costs, Sizing::Fixed(units)))
        });
        let ruled = shown(&flat.run(&costs, Sizing::Rule));
        line([workers.to_string()].into_iter().chain(fixed).chain([ruled]));
    }
}

/// One line for all against one for each worker, or for several.
fn by_homes(title: &str, costs: impl Fn(u64) -> Costs) {
    println!("\n{title}, {} ms in all; the library's rule, one line for all against homes:\n", SHORT_NS / 1_000_000);
    heading(["workers", "one line", "homes", "the best that the costs allow"].map(String::from));
    for workers in WORKERS {
        let costs = costs(SHORT_NS);
        let machine = |homes| Machine { workers, homes, transfer_ns: TRANSFER_NS };
        let bound = costs.total_ns() as f64 / (workers as f64 * costs.shortest_ns(workers) as f64);
        line([
            workers.to_string(),
            shown(&machine(false).run(&costs, Sizing::Rule)),
            shown(&machine(true).run(&costs, Sizing::Rule)),
            format!("{:.0} %", bound * 100.0),
        ]);
    }
}

fn main() {
    println!("Each worker has {} ms of work.", SHARE_NS / 1_000_000);
    type Kind = (&'static str, fn(u64) -> Costs);
    let kinds: [Kind; 4] = [
        ("Even items of 100 ns", |total| Costs::even(100, total)),
        ("Even items of 2 us", |total| Costs::even(2_000, total)),
        ("Pareto costs, mean some 2 us, falling", |total| Costs::pareto(total, true)),
        ("Pareto costs, mean some 2 us, rising", |total| Costs::pareto(total, false)),
    ];
    for (title, costs) in kinds {
        by_size(title, costs);
    }
    for (title, costs) in kinds {
        by_homes(title, costs);
    }
}
