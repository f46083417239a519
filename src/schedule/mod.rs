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
#[cfg(all(test, loom))]
mod loom_tests;
mod pace;
#[cfg(all(test, not(loom)))]
mod tests;

pub use homes::{Lines, Schedule};
pub use line::Line;
pub use pace::{Pace, SLACK};

/// Time, in picoseconds: a unit may take less than a nanosecond.
pub type Picos = u64;

pub const NANO: Picos = 1_000;
pub const MICRO: Picos = 1_000 * NANO;
