//! The executor in forked worker processes.
//!
//! The calling thread (`host`) forks a supervisor, the supervisor forks the workers and is the one who waits for them, so
//! that nothing of the host is touched: not its SIGCHLD, not its other children. Everything they tell each other lies in
//! one shared mapping (`shared`), at the same address in all of them.
//!
//! A worker (`worker`) takes hand-outs (`claims`), notes in its `record` which item it runs, and leaves results where the
//! host finds them: `results` of a size, `bytes` of any length, `reduce` for ranges. When it ends in the middle of an item,
//! however it ends, the supervisor (`supervisor`) reads the record (`autopsy`): the item gets its outcome, the rest of the
//! hand-out goes to others, a new worker comes.
//!
//! `prologue` makes a forked child a worker, `system` has the system calls. No descriptor is needed but for `bytes`.

mod autopsy;
mod bytes;
mod claims;
mod host;
mod prologue;
mod record;
mod reduce;
mod results;
mod shared;
mod supervisor;
mod system;
mod worker;

pub use host::run;
