//! Every exported function: pointers and integers in, Rust values out, no logic.
//!
//! A call reads its options (`options`), checks its arguments (`arguments`), hands a `Job` to the executor that the
//! options name, and writes the answer (`answer`). A panic of the library stops here and becomes `PAR_EPANIC`.

// What a caller owes is told to C programmers, in the comments that become the header.
#![allow(clippy::missing_safety_doc)]

pub mod about;
mod answer;
mod arguments;
pub mod calls;
pub mod commands;
pub mod memory;
pub mod mpi;
mod options;
mod ranks;
mod run;
#[cfg(target_os = "linux")]
pub mod sync;
