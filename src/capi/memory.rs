use crate::abi::bytes::par_bytes;
use crate::abi::status::{PAR_EINVAL, PAR_ENOMEM, PAR_OK, par_status};
use crate::{memory, shm};
use std::ffi::c_void;

/// Gives `*bytes` the length `len`. What fits is kept, contents beyond are zero; `data` may move. 0 leaves `{NULL, 0}`.
///
/// Answers `PAR_EINVAL` for NULL, and `PAR_ENOMEM` with `*bytes` as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_bytes_resize(bytes: *mut par_bytes, len: usize) -> par_status {
    // SAFETY: the caller passes NULL or a `par_bytes` of its own.
    let Some(bytes) = (unsafe { bytes.as_mut() }) else {
        return PAR_EINVAL;
    };
    // SAFETY: a par_bytes that C resizes is zeroed or was made here.
    match unsafe { memory::resize(bytes.data.cast(), bytes.len, len) } {
        Some(data) => {
            *bytes = par_bytes { data: data.cast(), len };
            PAR_OK
        }
        None => PAR_ENOMEM,
    }
}

/// Frees the n of them and zeroes the array. The array itself stays the caller's. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_bytes_free(bytes: *mut par_bytes, n: usize) {
    if bytes.is_null() {
        return;
    }
    for i in 0..n {
        // SAFETY: the caller passes n entries, zeroed or made by par_bytes_resize.
        unsafe {
            let entry = bytes.add(i);
            libc::free((*entry).data);
            *entry = par_bytes { data: std::ptr::null_mut(), len: 0 };
        }
    }
}

/// `len` bytes of zeroed memory, aligned to a page, that the calling process shares with every process forked from it
/// later: what a forked worker writes there, the caller sees. NULL with errno set on failure, or when `len` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn par_shm_alloc(len: usize) -> *mut c_void {
    shm::allocate(len).cast()
}

/// Gives back memory from `par_shm_alloc`, with the same `len`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn par_shm_free(memory: *mut c_void, len: usize) {
    if !memory.is_null() {
        // SAFETY: the caller passes what par_shm_alloc(len) returned.
        unsafe { shm::free(memory.cast(), len) };
    }
}
