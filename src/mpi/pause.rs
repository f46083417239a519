//! What the host does whenever a waiting rank pauses: look for signals, or let another thread in.

use crate::abi::mpi::par_mpi_wait_fn;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

struct Look {
    function: par_mpi_wait_fn,
    ctx: *mut c_void,
}

// SAFETY: the host says with which thread's calls it is to be used, and one thread at a time is inside.
unsafe impl Send for Look {}

static LOOK: Mutex<Look> = Mutex::new(Look { function: None, ctx: std::ptr::null_mut() });

pub fn set(function: par_mpi_wait_fn, ctx: *mut c_void) {
    *LOOK.lock().unwrap_or_else(PoisonError::into_inner) = Look { function, ctx };
}

/// Whether the host may want a wait to end.
pub fn is_set() -> bool {
    LOOK.lock().unwrap_or_else(PoisonError::into_inner).function.is_some()
}

/// Whether the host wants the wait to end.
pub fn look() -> bool {
    let Look { function, ctx } = *LOOK.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the host set this function to be called here.
    function.is_some_and(|function| unsafe { function(ctx) } != 0)
}
