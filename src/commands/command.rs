//! A command as `par_run` was given it, read and checked by `capi`.

use std::ffi::{CStr, c_char};

pub struct Command<'a> {
    /// NULL-terminated, with a program at its head.
    pub argv: *const *const c_char,
    /// NULL-terminated, or NULL for the host's.
    pub env: *const *const c_char,
    pub dir: Option<&'a CStr>,
    pub input: Option<&'a [u8]>,
    pub retries: u32,
}

impl Command<'_> {
    pub fn program(&self) -> &CStr {
        // SAFETY: `capi` has seen that there is one, and the caller leaves it there.
        unsafe { CStr::from_ptr(*self.argv) }
    }

    pub fn arguments(&self) -> impl Iterator<Item = &CStr> {
        let mut next = self.argv;
        std::iter::from_fn(move || {
            // SAFETY: up to its NULL the array can be read, and holds strings.
            unsafe {
                let argument = *next;
                next = next.add(1);
                (!argument.is_null()).then(|| CStr::from_ptr(argument))
            }
        })
        .fuse()
    }
}
