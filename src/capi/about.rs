use crate::abi::status::*;
use crate::{cpus, threads};
use std::ffi::{CStr, c_char};

/// In a callback: the index of the worker that runs it, below the `workers` of the innermost call. No two workers of a call
/// have the same index at the same time, so it can pick a worker's own scratch memory. Outside of callbacks: 0.
#[unsafe(no_mangle)]
pub extern "C" fn par_worker_index() -> usize {
    threads::worker_index()
}

/// The CPUs that this process may use: its affinity mask, cut to the CPU quota of its cgroup (v1 or v2, the tightest of
/// nested groups), rounded up, at least 1. Measured anew at every call.
#[unsafe(no_mangle)]
pub extern "C" fn par_cpu_count() -> usize {
    std::panic::catch_unwind(cpus::available).unwrap_or(1)
}

/// A short English name of a status; never NULL. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn par_strerror(status: par_status) -> *const c_char {
    let text: &CStr = match status {
        PAR_OK => c"success",
        PAR_EINVAL => c"bad argument; nothing ran",
        PAR_EITEM => c"an item failed",
        PAR_ECANCELED => c"canceled",
        PAR_ETIMEDOUT => c"timed out",
        PAR_ENOMEM => c"out of memory",
        PAR_EAGAIN => c"the system refuses processes",
        PAR_ENOTSUP => c"not supported by this executor",
        PAR_EWORKER => c"every worker refused to start or died",
        PAR_EMPI => c"MPI failed",
        PAR_ESYNC => c"the meeting point is unreachable or gone",
        PAR_ESYS => c"a system call failed",
        PAR_EPANIC => c"a bug of libparmap, contained",
        _ => c"unknown status",
    };
    text.as_ptr()
}

/// The version of the library that runs, to be compared with `PAR_VERSION` of the header it was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn par_version() -> u32 {
    VERSION
}

const VERSION: u32 = part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | part(env!("CARGO_PKG_VERSION_PATCH"));

const fn part(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a version part is not a number"),
    }
}
