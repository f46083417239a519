//! Memory that crosses the interface: `malloc`'s for results of any length, shared pages for forked workers.

use std::ptr;

/// glibc's malloc takes up to so many bytes from a cache of the thread's own, which its calloc passes over.
const MOST_CACHED: usize = 1032;

/// `realloc` with the bytes beyond `old_len` zeroed; freed and NULL for 0. None when out of memory, and nothing changed.
///
/// # Safety
/// `data` is NULL or `malloc`'s, with `old_len` bytes.
pub unsafe fn resize(data: *mut u8, old_len: usize, len: usize) -> Option<*mut u8> {
    if len == 0 {
        // SAFETY: `data` is NULL or malloc's.
        unsafe { libc::free(data.cast()) };
        return Some(ptr::null_mut());
    }
    if data.is_null() && len > MOST_CACHED {
        // SAFETY: calloc takes any size and answers NULL when it is too large.
        let fresh = unsafe { libc::calloc(len, 1) };
        return (!fresh.is_null()).then_some(fresh.cast());
    }
    // SAFETY: `data` is malloc's, or NULL, for which realloc is malloc.
    let moved: *mut u8 = unsafe { libc::realloc(data.cast(), len) }.cast();
    if moved.is_null() {
        return None;
    }
    let kept = if data.is_null() { 0 } else { old_len };
    if len > kept {
        // SAFETY: realloc gave `len` bytes.
        unsafe { ptr::write_bytes(moved.add(kept), 0, len - kept) };
    }
    Some(moved)
}

/// Zeroed pages shared with later forks, or NULL with errno set. They count as memory when they are first touched.
pub fn map_shared(len: usize) -> *mut u8 {
    // SAFETY: a fresh anonymous mapping touches no memory that exists; a length of 0 is refused by the system.
    let mapped = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED { ptr::null_mut() } else { mapped.cast() }
}

/// # Safety
/// `memory` came from `map_shared(len)` and nothing uses it any more.
pub unsafe fn unmap_shared(memory: *mut u8, len: usize) {
    // SAFETY: the caller hands the mapping over.
    unsafe { libc::munmap(memory.cast(), len) };
}
