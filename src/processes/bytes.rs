//! Results of any length: from a worker's malloc to the host's, through a file that is memory.
//!
//! Each worker takes extents of the file, maps one at a time and copies its results into it; a table says where each lies.
//! The pages of an extent are taken when the extent is, so that a lack of memory is an answer and not a SIGBUS. The file is
//! the only thing a worker needs a descriptor for: one whose callback closed it opens it again through its supervisor.

use super::shared::Refused;
use super::system;
use crate::abi::bytes::par_bytes;
use crate::job::BytesWork;
use crate::memory;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::*};

/// The first extent of a worker, and the largest that is taken for small results.
const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 4 << 20;
/// Extents are multiples of this, which is a multiple of every page size.
const GRANULE: usize = 64 << 10;
/// From this length on, a result is read rather than copied out of a mapping, page fault by page fault.
const LONG: usize = 64 << 10;

/// Where in the file a result lies.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Place {
    offset: u64,
    len: usize,
}

pub struct Parcels<'a> {
    work: BytesWork,
    file: File,
    /// Device and number of the file, by which it is known again.
    identity: (u64, u64),
    places: *mut Place,
    /// For each item, 1 if its result is there.
    ready: *const AtomicU8,
    tail: &'a AtomicU64,
}

impl<'a> Parcels<'a> {
    /// `places` and `ready` have room for n, all 0.
    pub fn new(
        work: BytesWork,
        places: *mut Place,
        ready: *const AtomicU8,
        tail: &'a AtomicU64,
    ) -> Result<Parcels<'a>, Refused> {
        // Some systems allow no file that could be executed, older ones do not know how to ask for that.
        let file = create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL).or_else(|_| create(libc::MFD_CLOEXEC))?;
        let file = above_standard(file)?;
        let identity = identity(&file).ok_or(Refused(libc::EIO))?;
        Ok(Parcels { work, file, identity, places, ready, tail })
    }

    /// In the host, when no worker runs any more: gives every result that is there malloc's memory. Err: the first that
    /// does not fit into memory; those behind it are left as they were.
    pub fn deliver(&self, n: usize) -> Result<(), NoRoom> {
        let len = self.tail.load(Acquire) as usize;
        let mapped = Extent::map(self.file.as_raw_fd(), 0, len, libc::PROT_READ);
        for i in 0..n {
            // SAFETY: n flags and places, which nobody writes any more, and n entries of the caller.
            let (ready, place, entry) = unsafe {
                ((*self.ready.add(i)).load(Acquire) == 1, *self.places.add(i), &mut *self.work.output.add(i))
            };
            if !ready {
                continue;
            }
            let no_room = NoRoom { item: i };
            // SAFETY: the entry is zeroed or holds malloc's memory; as long as the new one, nothing needs to be zeroed.
            let Some(data) = (unsafe { memory::resize(entry.data.cast(), place.len, place.len) }) else {
                return Err(no_room);
            };
            *entry = par_bytes { data: data.cast(), len: place.len };
            if place.len == 0 {
                continue;
            }
            // SAFETY: `data` is that long.
            let result = unsafe { std::slice::from_raw_parts_mut(data, place.len) };
            match &mapped {
                Some(mapped) if place.len < LONG => {
                    // SAFETY: the place lies within the file, which is mapped whole.
                    let source = unsafe { mapped.memory.add(place.offset as usize) };
                    // SAFETY: as before; fresh memory of malloc's is apart from it.
                    unsafe { ptr::copy_nonoverlapping(source, data, place.len) };
                }
                _ => self.file.read_exact_at(result, place.offset).map_err(|_| no_room)?,
            }
        }
        Ok(())
    }
}

fn create(flags: u32) -> Result<File, Refused> {
    // SAFETY: the name is terminated; the descriptor is nobody else's.
    unsafe {
        let file = libc::memfd_create(c"libparmap results".as_ptr(), flags);
        if file < 0 { Err(Refused(system::errno())) } else { Ok(File::from_raw_fd(file)) }
    }
}

/// Where the host has closed a standard descriptor, its number is the next to be given out: what a callback prints there
/// would be written over the results.
fn above_standard(file: File) -> Result<File, Refused> {
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    // SAFETY: the new descriptor is nobody else's.
    unsafe {
        let moved = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1);
        if moved < 0 { Err(Refused(system::errno())) } else { Ok(File::from_raw_fd(moved)) }
    }
}

fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// There is no memory for the result of this item.
#[derive(Clone, Copy, Debug)]
pub struct NoRoom {
    pub item: usize,
}

/// A worker's end of it.
pub struct Sender<'a> {
    parcels: &'a Parcels<'a>,
    extent: Option<Extent>,
    used: usize,
    next_size: usize,
}

impl<'a> Sender<'a> {
    pub fn new(parcels: &'a Parcels<'a>) -> Sender<'a> {
        Sender { parcels, extent: None, used: 0, next_size: SMALLEST }
    }

    /// Sends the result of item i, which this worker has run, and frees it here. False if there is no memory for it.
    pub fn send(&mut self, i: usize) -> bool {
        // SAFETY: entry i of this process's copy of the caller's array; this worker has it.
        let entry = unsafe { &mut *self.parcels.work.output.add(i) };
        let len = entry.len;
        if len > self.extent.as_ref().map_or(0, |extent| extent.len - self.used) && !self.take_extent(len) {
            return false;
        }
        let mut place = Place { offset: 0, len };
        if let Some(extent) = self.extent.as_ref().filter(|_| len > 0) {
            place.offset = extent.offset + self.used as u64;
            // SAFETY: the extent has room for it behind what is used.
            unsafe { ptr::copy_nonoverlapping(entry.data.cast(), extent.memory.add(self.used), len) };
            self.used += len;
        }
        // SAFETY: place and flag of the item, which this worker has; the result is malloc's.
        unsafe {
            self.parcels.places.add(i).write(place);
            (*self.parcels.ready.add(i)).store(1, Release);
            libc::free(entry.data);
        }
        *entry = par_bytes { data: ptr::null_mut(), len: 0 };
        true
    }

    fn take_extent(&mut self, len: usize) -> bool {
        let Some(size) = len.max(self.next_size).checked_next_multiple_of(GRANULE) else { return false };
        let Some(opened) = self.open_again() else { return false };
        let file = opened.as_ref().map_or(self.parcels.file.as_raw_fd(), File::as_raw_fd);
        let offset = self.parcels.tail.fetch_add(size as u64, AcqRel);
        if !allocate(file, offset, size) {
            return false;
        }
        self.extent = Extent::map(file, offset, size, libc::PROT_READ | libc::PROT_WRITE);
        self.used = 0;
        self.next_size = (self.next_size * 2).min(LARGEST);
        self.extent.is_some()
    }

    /// Some(None) while the file is open under its number; otherwise opens it anew, where that can be done.
    fn open_again(&self) -> Option<Option<File>> {
        let is_ours = |file: &File| identity(file) == Some(self.parcels.identity);
        if is_ours(&self.parcels.file) {
            return Some(None);
        }
        let path = format!("/proc/{}/fd/{}", system::parent_pid(), self.parcels.file.as_raw_fd());
        OpenOptions::new().read(true).write(true).open(path).ok().filter(is_ours).map(Some)
    }
}

/// Takes the pages of an extent; the file then reaches at least so far.
fn allocate(file: RawFd, offset: u64, len: usize) -> bool {
    loop {
        // SAFETY: a plain system call.
        if unsafe { libc::fallocate(file, 0, offset as libc::off_t, len as libc::off_t) } == 0 {
            return true;
        }
        if system::errno() != libc::EINTR {
            return false;
        }
    }
}

/// A mapped part of the file.
struct Extent {
    memory: *mut u8,
    offset: u64,
    len: usize,
}

impl Extent {
    fn map(file: RawFd, offset: u64, len: usize, protection: i32) -> Option<Extent> {
        // SAFETY: a fresh mapping touches no memory that exists; a length of 0 is refused by the system.
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, file, offset as libc::off_t) };
        (memory != libc::MAP_FAILED).then(|| Extent { memory: memory.cast(), offset, len })
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { memory::unmap_shared(self.memory, self.len) };
    }
}
