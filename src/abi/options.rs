use super::callbacks::{par_fork_fn, par_poll_fn, par_worker_fn};
use super::status::par_item;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// What C writes as `volatile int`.
pub type VolatileInt = c_int;

/// Executor: native threads of this process, the calling thread among them.
pub const PAR_THREADS: u32 = 0u32;
/// Executor: forked worker processes; Linux alone.
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
    ///
    /// With `PAR_PROCESSES`, callbacks run in forked workers, on a copy of the caller's memory as it was at the call. `out`,
    /// `acc`, results and `items` come back; whatever else a callback writes stays in its process, unless it lies in memory from
    /// `par_shm_alloc`. An `out` that lies there is written in place, which saves two copies. However a worker ends (a crash,
    /// `exit`, a kill, a hang beyond `item_timeout_ms`), that is the outcome of the item that it ran; the others run on in new
    /// workers. No worker is left when the call returns, and none survives the caller's process or thread. The caller may see
    /// one SIGCHLD and one unknown process number a call, and it does not matter who waits for that.
    ///
    /// `PAR_MPI`: every rank of the job makes the same call, with its own functions and its own `ctx`, and computes on its
    /// own threads. The items of rank 0 count and travel to where they run (`in` may be NULL elsewhere), results, items,
    /// report and answer come to every rank. What a callback writes to `ctx`, or through `par_for`, stays on its rank. `workers`
    /// and the worker hooks are each rank's own; `cancel`, `timeout_ms` and `poll` are rank 0's. Ranks whose calls differ
    /// in function, n, sizes, grain or flags all answer `PAR_EINVAL`, and nothing ran. The calling
    /// thread of a rank with one worker runs items itself where that is faster: on other ranks always, on rank 0 (which serves
    /// the others) without `poll`, `timeout_ms` and hooks, and until an item takes much longer than the ones before. Other ranks
    /// may wait for the end of such an item. Without a launcher there is one rank, and the call is one on threads.
    pub executor: u32,
    /// `PAR_KEEP_GOING` or 0.
    pub flags: u32,
    /// How many workers run items at most; may exceed the CPUs. On threads the caller is one of them.
    /// 0: the environment's `PAR_NUM_WORKERS`, else `par_cpu_count()` as it was at the first call; where ranks share all of
    /// a machine, their part of that.
    pub workers: usize,
    /// 0: adaptive, from the time items take; else the fewest items taken at once.
    pub grain: usize,
    /// Deadline of the whole call, in milliseconds from its start; 0: none. Items that run are waited for; in processes for
    /// 100 ms, then they are ended and are `PAR_ITEM_TIMED_OUT`.
    pub timeout_ms: u64,
    /// Deadline of one item (of one range, where ranges are handed out), in milliseconds; 0: none. Its worker is killed and the
    /// item is `PAR_ITEM_TIMED_OUT`. `PAR_ENOTSUP` on threads and MPI.
    pub item_timeout_ms: u64,
    /// NULL, or a flag: non-zero stops the start of new items. May be set from a signal handler, another thread or a
    /// callback; from a worker process, if it lies in memory from `par_shm_alloc`. Processes that still run an item 100 ms
    /// later are killed, which is that item's outcome.
    pub cancel: *const VolatileInt,
    /// NULL, or called on the calling thread at least every `poll_ms`, and once at the end. The caller then runs no items
    /// while a helper does, so the cadence holds even while one item takes minutes; where no helper has claimed
    /// anything by the first due time, the caller runs items, polls between them, and the report says so. Where earlier
    /// calls had items too short to share, the caller begins alone, and the first item that is not ends before a poll.
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
    /// NULL, or called in the forking process before every fork that the library makes for the call. With `PAR_PROCESSES` the
    /// caller forks a supervisor, which forks the workers.
    pub before_fork: par_fork_fn,
    /// NULL, or called in the forking process after every such fork, also one that the system refused.
    pub after_fork_parent: par_fork_fn,
    /// NULL, or called in the new process after every such fork.
    pub after_fork_child: par_fork_fn,
    pub fork_ctx: *mut c_void,
    /// NULL, or room for n outcomes, all of them written.
    pub items: *mut par_item,
    /// NULL, or where the call tells about itself.
    pub report: *mut par_report,
}

impl par_options {
    /// What NULL options mean.
    pub const DEFAULT: par_options = par_options {
        size: size_of::<par_options>(),
        executor: PAR_THREADS,
        flags: 0,
        workers: 0,
        grain: 0,
        timeout_ms: 0,
        item_timeout_ms: 0,
        cancel: ptr::null(),
        poll: None,
        poll_ctx: ptr::null_mut(),
        poll_ms: 0,
        reserved: 0,
        worker_start: None,
        worker_stop: None,
        worker_ctx: ptr::null_mut(),
        before_fork: None,
        after_fork_parent: None,
        after_fork_child: None,
        fork_ctx: ptr::null_mut(),
        items: ptr::null_mut(),
        report: ptr::null_mut(),
    };
}
