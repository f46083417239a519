//! Who takes which items next.
//!
//! A call's units stand in lines, and its workers take hand-outs from their fronts, each by one atomic step, so that every
//! unit is taken exactly once whatever the workers do (`line`). How many units a hand-out has is each worker's own `Pace`: it
//! begins with one unit, unless others have just borne out what is expected of a unit, and follows the measured time.
//!
//! A hand-out is a fair share of what is left (so that a worker that comes late finds something, and expensive units at the
//! end are handed out one by one), but never more than 50 us of work, nor less than 1 us. This is guided
//! self-scheduling (Polychronopoulos and Kuck, 1987) bounded by time on both sides: guided hand-outs alone begin with the
//! largest, which stalls the end when the expensive units come first, and end with many that cost more than they bring.
//!
//! Long calls have one line, in order. A short one has a line for each worker, its home (`homes`): there it finds the units
//! that it had in the call before, in its cache, and takes them without meeting anybody. When its home is empty it goes on to
//! the others', so that no line waits for its owner; this is affinity scheduling (Markatos and LeBlanc, 1994).
//!
//! Nothing here knows of threads or clocks: the time is passed in. The whole of it is model-checked with loom.
//!
//! # What a call costs
//! Measured on two cores of an AMD EPYC (Zen 4) in a virtual machine; `benches/run` repeats it.
//!
//! | the call | costs, beside its items |
//! |---|---|
//! | stays alone, because it is known to be short (`threads::brief`) | 5 ns for one item, 15 to 30 ns for more |
//! | finds a helper awake (`threads::board`) | 0.2 us until it is open and the caller is at its items; the helper begins 0.1 us later, and its end is seen 0.1 us after its last item: in all, 0.6 us more than a perfect split |
//! | must wake a helper | 5 to 20 us of the caller's time, and as long again until the helper begins; only for 70 us of work or more, or when such calls have come often. Where the kernel wakes threads onto their waker's CPU, some 100 us more for it to go elsewhere, and 3 ms the first time (`threads::crowding`) |
//! | the first of its process | 0.5 ms: the CPUs are counted, a thread is made |
//!
//! A claim is one atomic add: 3 ns if nobody else has claimed since, as at home, some 100 ns if another CPU has the line, and
//! twice a look at the clock of 10 ns. A hand-out of 50 us thus costs 0.3 %, one of 1 us from another's line a tenth.
//!
//! A call takes about 4 KB of its caller's stack, whatever n is; `par_reduce` also holds a copy of `acc` for each range that
//! is done before one to its left, 1024 at most.
//!
//! # With many cores
//! One line serves some 10 million claims a second. In a long call each worker makes 20 000, so the line is full at 500
//! workers. In the simulation (`cargo run --release --bin simulate` in `benches`: these files with virtual workers, 100 ns a
//! claim) a long loop keeps 64 workers 99 % busy and 256 workers 97 to 98 %. A short one, of 2 ms in all and 100 ns an item,
//! would keep 16 workers 90 % busy with one line, 64 workers 56 % and 128 workers 21 %; with homes, 98 %, 87 % and 76 %. Where
//! costs are very uneven and sorted, homes lose up to a third with 16 workers, and gain nearly as much when the order is the
//! other one. There are at most 16 lines, since who finds nothing at home asks them one after the other. A machine of a
//! thousand cores would want longer hand-outs, or lines for long calls, too.

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
