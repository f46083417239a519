//! Memory that grows and then crosses the interface: `malloc`'s, without a panic when there is none.

use std::ptr;

#[derive(Debug)]
pub struct Memory {
    data: *mut u8,
    len: usize,
    capacity: usize,
}

/// The system gives no more memory.
#[derive(Debug)]
pub struct OutOfMemory;

impl Memory {
    pub const fn new() -> Memory {
        Memory { data: ptr::null_mut(), len: 0, capacity: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        let len = self.len.checked_add(bytes.len()).ok_or(OutOfMemory)?;
        if len > self.capacity {
            self.resize(len.checked_next_power_of_two().ok_or(OutOfMemory)?)?;
        }
        // SAFETY: there is room for `len` bytes, and the bytes are somebody else's.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.data.add(self.len), bytes.len()) };
        self.len = len;
        Ok(())
    }

    pub fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: so many were written.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }

    /// Hands the memory over, cut to its length: to be freed by `free`, or NULL.
    pub fn into_raw(mut self) -> (*mut u8, usize) {
        if self.len < self.capacity && self.len > 0 {
            // What cannot be cut stays as it is.
            let _ = self.resize(self.len);
        }
        let raw = (self.data, self.len);
        std::mem::forget(self);
        raw
    }

    fn resize(&mut self, capacity: usize) -> Result<(), OutOfMemory> {
        // SAFETY: `data` is NULL or malloc's, and `capacity` is not 0.
        let moved: *mut u8 = unsafe { libc::realloc(self.data.cast(), capacity) }.cast();
        if moved.is_null() {
            return Err(OutOfMemory);
        }
        (self.data, self.capacity) = (moved, capacity);
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `data` is NULL or malloc's.
        unsafe { libc::free(self.data.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_was_appended_is_handed_over() {
        let mut memory = Memory::new();
        assert_eq!(memory.bytes(), b"");
        for part in [&b"one"[..], b"", b" and two"] {
            memory.append(part).unwrap();
        }
        assert_eq!((memory.bytes(), memory.len()), (&b"one and two"[..], 11));
        let (data, len) = memory.into_raw();
        // SAFETY: the memory was handed over, and is malloc's.
        unsafe {
            assert_eq!(std::slice::from_raw_parts(data, len), b"one and two");
            libc::free(data.cast());
        }
    }

    #[test]
    fn nothing_is_no_memory() {
        assert_eq!(Memory::new().into_raw(), (std::ptr::null_mut(), 0));
    }
}
