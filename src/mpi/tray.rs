//! Where a short message arrives whose length nobody knows yet.

/// Up to so many bytes MPI libraries send at once, too. Every receive that is posted has room for them.
pub const SHORT: usize = 4096;

#[derive(Debug)]
pub struct Tray(Box<[u8; SHORT]>);

impl Default for Tray {
    fn default() -> Tray {
        Tray(Box::new([0; SHORT]))
    }
}

impl Tray {
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// What has arrived; it has `len` bytes.
    pub fn first(&self, len: usize) -> &[u8] {
        &self.0[..len]
    }
}
