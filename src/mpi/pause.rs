//! What the host does whenever a waiting rank pauses: look for signals, or let another thread in.

use crate::abi::mpi::par_mpi_wait_fn;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::{Mutex, PoisonError};

struct Look {
    function: par_mpi_wait_fn,
    ctx: *mut c_void,
}

// SAFETY: the host says with which thread's calls it is to be used, and one thread at a time is inside.
unsafe impl Send for Look {}

static LOOK: Mutex<Look> = Mutex::new(Look { function: None, ctx: std::ptr::null_mut() });

/// Spares those who wait the lock where the host wants nothing.
static IS_SET: AtomicBool = AtomicBool::new(false);

pub fn set(function: par_mpi_wait_fn, ctx: *mut c_void) {
    IS_SET.store(function.is_some(), Release);
    *LOOK.lock().unwrap_or_else(PoisonError::into_inner) = Look { function, ctx };
}

/// Whether the host may want a wait to end.
pub fn is_set() -> bool {
    IS_SET.load(Acquire)
}

/// Whether the host wants the wait to end.
pub fn look() -> bool {
    is_set() && ask()
}

fn ask() -> bool {
    let Look { function, ctx } = *LOOK.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the host set this function to be called here.
    function.is_some_and(|function| unsafe { function(ctx) } != 0)
}
