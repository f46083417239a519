//! Bytes in `malloc`'s memory, so that they can be handed to C without a copy.

use std::ffi::c_void;
use std::ptr::NonNull;

/// Never NULL, even when empty.
#[derive(Debug)]
pub struct Malloced {
    data: NonNull<u8>,
    len: usize,
}

impl Malloced {
    /// `len` zeroes; None where there is no memory for them.
    pub fn zeroed(len: usize) -> Option<Malloced> {
        // SAFETY: calloc takes any size and answers NULL when it is too large.
        let data = unsafe { libc::calloc(len.max(1), 1) };
        NonNull::new(data.cast()).map(|data| Malloced { data, len })
    }

    /// The memory, now the caller's to free.
    pub fn into_raw(self) -> (*mut c_void, usize) {
        let raw = (self.data.as_ptr().cast(), self.len);
        std::mem::forget(self);
        raw
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: calloc gave `len` initialised bytes, which are this one's alone.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl Drop for Malloced {
    fn drop(&mut self) {
        // SAFETY: calloc gave it, and nobody else has it.
        unsafe { libc::free(self.data.as_ptr().cast()) };
    }
}
