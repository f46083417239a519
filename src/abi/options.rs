use super::callbacks::{par_fork_fn, par_poll_fn, par_worker_fn};
use super::status::par_item;
use std::ffi::{c_char, c_int, c_void};

/// What C writes as `volatile int`.
pub type VolatileInt = c_int;

/// Executor: native threads of this process, the calling thread among them.
pub const PAR_THREADS: u32 = 0u32;
/// Executor: forked worker processes.
pub const PAR_PROCESSES: u32 = 1u32;
/// Executor: the ranks of an MPI job.
pub const PAR_MPI: u32 = 2u32;

/// Flag: run every item though some fail.
pub const PAR_KEEP_GOING: u32 = 1u32;
/// Flag of `par_run`: output goes where the host's goes.
pub const PAR_RUN_INHERIT: u32 = 2u32;
/// Flag of `par_run`: bring up a meeting point.
pub const PAR_RUN_SYNC: u32 = 4u32;

/// What a call tells about itself. The caller owns it, sets `size`, and reads the rest when the call has returned,
/// whatever it returned. (Only a wrong `size` leaves it unwritten.)
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct par_report {
    /// In: `sizeof(par_report)`. Larger sizes of newer programs work; the part unknown to this library is zeroed.
    pub size: usize,
    /// Items whose callback returned, failed ones included.
    pub done: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// The lowest failed index that is known, or `SIZE_MAX`.
    pub first_failed: usize,
    /// The outcome of that item.
    pub first: par_item,
    /// How many workers ran items; the caller counts as one.
    pub workers: usize,
    /// From the call to its return.
    pub wall_ns: u64,
    /// Spent in items, summed over the workers.
    pub busy_ns: u64,
    /// The errno behind a refusal of the system, or 0.
    pub os_error: i32,
    pub reserved: i32,
    /// One plain sentence a person can act on, always terminated; empty when there is nothing to say.
    pub message: [c_char; 256],
}

/// How a call is to run. All zero but `size` is the default, and NULL options mean the same. Initialise with
/// `par_options options = PAR_OPTIONS_INIT;` and set the fields you need. The call only reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct par_options {
    /// `sizeof(par_options)`. Smaller sizes of older programs work; so do larger ones while the bytes that this library
    /// does not know are zero, otherwise `PAR_EINVAL`.
    pub size: usize,
    /// `PAR_THREADS`, `PAR_PROCESSES` or `PAR_MPI`.
    pub executor: u32,
    /// `PAR_KEEP_GOING` or 0.
    pub flags: u32,
    /// How many workers run items at most, the caller included; may exceed the CPUs.
    /// 0: the environment's `PAR_NUM_WORKERS`, else `par_cpu_count()` as it was at the first call.
    pub workers: usize,
    /// 0: adaptive, from the time items take; else the fewest items taken at once.
    pub grain: usize,
    /// Deadline of the whole call, in milliseconds from its start; 0: none. Items that run are waited for.
    pub timeout_ms: u64,
    /// Deadline of one item; `PAR_ENOTSUP` on threads and MPI; 0: none.
    pub item_timeout_ms: u64,
    /// NULL, or a flag: non-zero stops the start of new items. May be set from a signal handler, another thread or a
    /// callback.
    pub cancel: *const VolatileInt,
    /// NULL, or called on the calling thread at least every `poll_ms`, and once at the end. The caller then runs no items
    /// while a helper does, so the cadence holds even while one item takes minutes; where no helper has claimed
    /// anything by the first due time, the caller runs items, polls between them, and the report says so.
    pub poll: par_poll_fn,
    pub poll_ctx: *mut c_void,
    /// 0: 100 ms.
    pub poll_ms: u32,
    pub reserved: u32,
    /// NULL, or called in a worker before its first item of the call; a worker without items runs neither hook.
    /// Non-zero keeps the worker out; if all refuse, the call answers `PAR_EWORKER`.
    pub worker_start: par_worker_fn,
    /// NULL, or called in a worker after its last item of the call; its result is ignored.
    pub worker_stop: par_worker_fn,
    pub worker_ctx: *mut c_void,
    /// NULL, or called in the forking process before every fork that the library makes for the call.
    pub before_fork: par_fork_fn,
    /// NULL, or called in the forking process after every such fork.
    pub after_fork_parent: par_fork_fn,
    /// NULL, or called in the new process after every such fork.
    pub after_fork_child: par_fork_fn,
    pub fork_ctx: *mut c_void,
    /// NULL, or room for n outcomes, all of them written.
    pub items: *mut par_item,
    /// NULL, or where the call tells about itself.
    pub report: *mut par_report,
}
