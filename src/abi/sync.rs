use std::ffi::{c_int, c_void};

/// A connection to the meeting point, made by `par_sync_open`. What it holds is the library's.
pub struct par_sync {
    _private: [u8; 0],
}

/// What `par_sync_watch` has called while a call waits. Non-zero ends the wait.
pub type par_sync_poll_fn = Option<unsafe extern "C" fn(poll_ctx: *mut c_void) -> c_int>;
