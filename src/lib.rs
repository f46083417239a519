//! libparmap: one call, `par_map`, for everything that speaks C.
//!
//! - `abi`: the C types and constants. `capi`: every exported function.
//! - `job`: what is to be done, how one item runs, what came of it. `options`: how it is to be run.
//! - `schedule`: who takes which items next. `threads`: the executor on native threads.
//! - `mpi`: messages between the ranks of an MPI job, and the executor on them.
//! - `processes`: the executor in forked workers, Linux alone. `shm`: which memory they share with the caller.
//! - `commands`: `par_run`, whole programs. `sync`: the meeting point, client and server.
//! - `cpus`: how many CPUs there are to use. `environment`: the variables that the library reads.
//! - `fork`: notices that this process was forked. `signals`: keeps the host's away from our threads.
//! - `memory`: what crosses the interface.
//!
//! Imports run one way: `capi` -> executors -> `schedule`, `job` -> `abi`. A C programmer reads `include/parmap.h`.

pub mod abi;
mod atomic;
pub mod capi;
#[cfg(target_os = "linux")]
mod commands;
mod cpus;
mod environment;
mod fork;
mod job;
mod memory;
mod mpi;
mod options;
#[cfg(target_os = "linux")]
mod processes;
mod schedule;
mod shm;
mod signals;
#[cfg(target_os = "linux")]
mod sync;
mod threads;
