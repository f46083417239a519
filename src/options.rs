//! How a call is to be run, read and checked: what executors see of `par_options`.

use crate::job::user::{ForkHooks, Items, Poll, WorkerHooks};
use std::sync::atomic::AtomicI32;
use std::time::Duration;

/// What runs the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    Threads,
    #[cfg(target_os = "linux")]
    Processes,
    Mpi,
}

#[derive(Debug)]
pub struct Options<'a> {
    pub executor: Executor,
    /// At most so many run items, the caller included; at least 1.
    pub workers: usize,
    /// The fewest items taken at once; at least 1.
    pub grain: usize,
    pub keep_going: bool,
    pub timeout: Option<Duration>,
    /// Of one item; processes alone.
    pub item_timeout: Option<Duration>,
    pub cancel: Option<&'a AtomicI32>,
    pub poll: Option<Poll>,
    pub hooks: Option<WorkerHooks>,
    pub fork_hooks: ForkHooks,
    pub items: Items,
}
