//! `par_run`: programs, at most so many at once.
//!
//! One loop (`supervise`) starts commands (`start`: `lookup`, `environment`, `spawn`, `raw`), looks after each that runs (`running`:
//! `child`, `group`, `feed`, `capture`, which spills long output into a file), and settles it (`results`, `joblog`). `story` says
//! what went wrong. There is no thread per command and none at all: the calling thread waits on pipes and pidfds.
//!
//! All of it is Linux: a pidfd from the start of a process is what makes it safe in a host that reaps children of its own.

mod capture;
mod child;
mod command;
mod environment;
mod feed;
mod group;
mod joblog;
mod lookup;
mod memory;
mod pipe;
mod quote;
mod raw;
mod results;
mod running;
mod spawn;
mod spill;
mod start;
mod story;
mod supervise;

pub use command::Command;
pub use joblog::JobLog;
pub use results::{Results, clear, free};

use crate::job::Outcome;
use crate::options::Options;
use std::ffi::OsString;
use std::time::Duration;

/// What is to be run, and how, beyond what `Options` say.
pub struct Batch<'a> {
    pub commands: Vec<Command<'a>>,
    pub results: Results,
    /// Output goes where the host's goes.
    pub inherit: bool,
    pub item_timeout: Option<Duration>,
    pub joblog: Option<JobLog>,
    /// Where the commands can meet.
    pub url: Option<OsString>,
}

/// What came of it, and a sentence about the first failure.
pub struct Ran {
    pub outcome: Outcome,
    pub why: Option<String>,
}

/// Runs the commands. None of them runs any more when it returns. Err: the system does not even let us begin, or wait.
pub fn run(batch: &mut Batch, options: &Options) -> std::io::Result<Ran> {
    supervise::Supervisor::new(batch, options)?.run()
}
