//! What the tests stand on: C programs are compiled against the freshly built library, run under a
//! time limit, and every promise of a C file becomes one Rust test.
//!
//! - `compile`: from a C file to a program, linked through the `.so` or the `.a`
//! - `run`: from a program to its exit status and output
//! - `promises`: from the functions of a C file to Rust tests
//! - `skips`: tests that cannot run on a machine say so, and strict runs do not let them

// Each test binary compiles all of this and uses a part of it.
#![allow(dead_code, unused_imports, unused_macros)]

mod compile;
#[macro_use]
mod skips;
#[macro_use]
mod promises;
mod run;

pub use compile::{Link, Program, STATIC_NEEDS, compile, compiler, has_program, library, scratch, source};
pub use promises::{assert_same_promises, keep};
pub use run::{Finished, Running, run, start};
pub use skips::record_skip;
