//! Where there are no pidfds, `par_run` says so.

use crate::abi::commands::{par_command, par_outcome};
use crate::abi::options::par_options;
use crate::abi::status::{PAR_ENOTSUP, par_status};

/// # Safety
/// The arguments are what the header asks `par_run` for.
pub unsafe fn answer(_: *const par_command, _: *mut par_outcome, _: usize, _: *const par_options) -> par_status {
    PAR_ENOTSUP
}

/// # Safety
/// The arguments are what the header asks `par_outcomes_free` for.
pub unsafe fn free(_: *mut par_outcome, _: usize) {}
