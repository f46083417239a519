//! libparmap: one call, `par_map`, for everything that speaks C.
//!
//! - `abi`: the C types and constants. `capi`: every exported function.
//! - `job`: what is to be done, how one item runs, what came of it. `options`: how it is to be run.
//! - `schedule`: who takes which items next. `threads`: the executor on native threads.
//! - `cpus`: how many CPUs there are to use. `environment`: the variables that the library reads.
//! - `fork`: notices that this process was forked. `memory`: what crosses the interface.
//!
//! Imports run one way: `capi` -> executors -> `schedule`, `job` -> `abi`. A C programmer reads `include/parmap.h`.

pub mod abi;
mod atomic;
pub mod capi;
mod cpus;
mod environment;
mod fork;
mod job;
mod memory;
mod options;
mod schedule;
mod threads;
