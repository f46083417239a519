use super::bytes::par_bytes;
use std::ffi::{c_int, c_void};

/// One item of `par_map`: reads `in`, writes `out`. Returns 0, or the item's own code.
pub type par_map_fn = Option<unsafe extern "C" fn(r#in: *const c_void, out: *mut c_void, ctx: *mut c_void) -> c_int>;

/// The items `begin <= i < end` of `par_for`. Non-zero marks the whole range failed.
pub type par_range_fn = Option<unsafe extern "C" fn(begin: usize, end: usize, ctx: *mut c_void) -> c_int>;

/// Folds the items `begin <= i < end` of `par_reduce` into `acc`. Non-zero marks the whole range failed.
pub type par_fold_fn =
    Option<unsafe extern "C" fn(begin: usize, end: usize, acc: *mut c_void, ctx: *mut c_void) -> c_int>;

/// Adds `other`, the result of the range that follows, to `acc`. Non-zero marks that range failed.
pub type par_combine_fn =
    Option<unsafe extern "C" fn(acc: *mut c_void, other: *const c_void, ctx: *mut c_void) -> c_int>;

/// One item of `par_map_bytes`: makes its result in `out` with `par_bytes_resize`. Returns 0, or the item's own code.
pub type par_bytes_fn =
    Option<unsafe extern "C" fn(r#in: *const c_void, in_len: usize, out: *mut par_bytes, ctx: *mut c_void) -> c_int>;

/// How far a call has come, as `poll` sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct par_progress {
    /// `sizeof(par_progress)` of the library.
    pub size: usize,
    /// Items of the call.
    pub n: usize,
    /// Items whose callback has returned, failed ones included.
    pub done: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// Nanoseconds since the call began.
    pub elapsed_ns: u64,
}

/// Looks at the progress of a call, on the calling thread. Non-zero cancels the call.
pub type par_poll_fn = Option<unsafe extern "C" fn(progress: *const par_progress, poll_ctx: *mut c_void) -> c_int>;

/// Runs in a worker before its first item or after its last. Non-zero from a start keeps that worker out of the call.
pub type par_worker_fn = Option<unsafe extern "C" fn(worker: usize, worker_ctx: *mut c_void) -> c_int>;

/// Runs around a fork of the library, in the process its name says.
pub type par_fork_fn = Option<unsafe extern "C" fn(fork_ctx: *mut c_void)>;
