use std::ffi::c_void;

/// A run of bytes of any length. `{NULL, 0}` is empty and owns nothing. Otherwise `data` belongs to whoever holds the
/// struct, is `malloc`'s memory, and is given back by `par_bytes_free`. (Inputs are only read: they may point anywhere.)
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct par_bytes {
    pub data: *mut c_void,
    /// In bytes.
    pub len: usize,
}
