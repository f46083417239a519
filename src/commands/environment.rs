//! The environment that a command gets.

use super::spawn::Environ;
use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

const URL: &[u8] = b"PAR_SYNC_URL=";
/// A command that calls `par_run` itself would number its own commands in the host's log.
const JOBLOG: &[u8] = b"PAR_JOBLOG=";

pub struct Environment {
    /// The host's, as it was when the call began; NULL-terminated.
    hosts: Vec<*const c_char>,
    /// "PAR_SYNC_URL=...", where there is a meeting point.
    url: Option<CString>,
}

impl Environment {
    /// `url`: where the commands can meet.
    pub fn new(url: Option<&OsStr>) -> Environment {
        let url = url.map(|url| {
            CString::new([URL, url.as_bytes()].concat()).expect("neither a path nor the environment holds a NUL")
        });
        // SAFETY: the C library's own list; a host that changes its environment at this moment is at odds with every other
        // reader in the process, too.
        let kept = unsafe { entries(environ.cast()) }
            .filter(|&entry| !begins(entry, JOBLOG) && (url.is_none() || !begins(entry, URL)));
        let mut hosts: Vec<_> = kept.collect();
        hosts.extend(url.as_ref().map(|url| url.as_ptr()));
        hosts.push(ptr::null());
        Environment { hosts, url }
    }

    /// What a command gets that asks for `own`, or for the host's where that is NULL.
    ///
    /// # Safety
    /// `own` is NULL or a NULL-terminated array of strings.
    pub unsafe fn of(&self, own: *const *const c_char) -> Environ {
        if own.is_null() {
            return Environ::Lent(self.hosts.as_ptr());
        }
        let Some(url) = &self.url else { return Environ::Lent(own) };
        // SAFETY: the caller of this function promises as much.
        let mut made: Vec<_> = unsafe { entries(own) }.collect();
        if !made.iter().any(|&entry| begins(entry, URL)) {
            made.push(url.as_ptr());
        }
        made.push(ptr::null());
        Environ::Made(made)
    }
}

unsafe extern "C" {
    static environ: *const *mut c_char;
}

/// # Safety
/// `list` is NULL or a NULL-terminated array of strings.
unsafe fn entries(list: *const *const c_char) -> impl Iterator<Item = *const c_char> {
    let mut next = list;
    std::iter::from_fn(move || {
        // SAFETY: up to its NULL the list can be read.
        let entry = unsafe { next.as_ref() }.copied().filter(|entry| !entry.is_null())?;
        next = next.wrapping_add(1);
        Some(entry)
    })
}

fn begins(entry: *const c_char, with: &[u8]) -> bool {
    // SAFETY: entries of an environment are strings.
    unsafe { CStr::from_ptr(entry) }.to_bytes().starts_with(with)
}
