use std::ffi::c_int;

/// What a call answers: `PAR_OK` or one of the codes below. `par_strerror` names it; the sentence that says which
/// argument or item it was about is in `par_report.message`.
pub type par_status = c_int;

/// Everything ran and nothing failed.
pub const PAR_OK: par_status = 0;
/// Bad argument; nothing ran.
pub const PAR_EINVAL: par_status = 1;
/// Some item failed.
pub const PAR_EITEM: par_status = 2;
/// Stopped by the cancel flag or by `poll`.
pub const PAR_ECANCELED: par_status = 3;
/// The deadline of the whole call passed.
pub const PAR_ETIMEDOUT: par_status = 4;
/// Out of memory.
pub const PAR_ENOMEM: par_status = 5;
/// The system refuses every process (threads: the caller works alone and the call succeeds).
pub const PAR_EAGAIN: par_status = 6;
/// This executor cannot do that.
pub const PAR_ENOTSUP: par_status = 7;
/// Every worker refused to start, or workers ended before their first item, three in a row.
pub const PAR_EWORKER: par_status = 8;
/// MPI failed.
pub const PAR_EMPI: par_status = 9;
/// The meeting point is unreachable or gone.
pub const PAR_ESYNC: par_status = 10;
/// A system call failed: `par_report.os_error` says how.
pub const PAR_ESYS: par_status = 11;
/// A bug of this library, contained.
pub const PAR_EPANIC: par_status = 12;

/// The item was not started; its output is untouched.
pub const PAR_ITEM_NOT_RUN: u32 = 0u32;
/// The callback returned 0.
pub const PAR_ITEM_OK: u32 = 1u32;
/// The callback returned `code`; its output is unspecified.
pub const PAR_ITEM_FAILED: u32 = 2u32;
/// The worker, or the command, ended with exit code `code`.
pub const PAR_ITEM_EXITED: u32 = 3u32;
/// The worker, or the command, was ended by signal number `code`.
pub const PAR_ITEM_SIGNALED: u32 = 4u32;
/// The item ran beyond its own timeout; in a process, or beyond the deadline of the call.
pub const PAR_ITEM_TIMED_OUT: u32 = 5u32;
/// The command could not be started; `code` is the errno.
pub const PAR_ITEM_SPAWN_FAILED: u32 = 6u32;

/// The outcome of one item.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct par_item {
    /// One of `PAR_ITEM_*`.
    pub state: u32,
    /// What `state` says it is; 0 where it says nothing.
    pub code: i32,
}
