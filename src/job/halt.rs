//! Whether new items may start, and if not, why.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

/// What stopped a call before all items had run. The first cause is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    Failed = 1,
    CancelFlag,
    Poll,
    TimedOut,
    OutOfMemory,
    NoWorker,
    ForkedChild,
    Panicked,
    /// The system gives no process to run in.
    NoProcess,
    /// Workers ended before their first item, again and again; or their supervisor did.
    WorkersDied,
    /// There is no memory to share with the workers.
    NoSharedMemory,
    /// There is no memory for a result that a worker has made.
    NoRoomForResult,
    /// A system call failed that should not.
    System,
}

impl Cause {
    const ALL: [Cause; 13] = [
        Cause::Failed,
        Cause::CancelFlag,
        Cause::Poll,
        Cause::TimedOut,
        Cause::OutOfMemory,
        Cause::NoWorker,
        Cause::ForkedChild,
        Cause::Panicked,
        Cause::NoProcess,
        Cause::WorkersDied,
        Cause::NoSharedMemory,
        Cause::NoRoomForResult,
        Cause::System,
    ];

    /// What `cause as u32` was.
    pub fn from_number(number: u32) -> Option<Cause> {
        Cause::ALL.into_iter().find(|&cause| cause as u32 == number)
    }

    /// Whether the result is not to be had even if every item ran.
    pub fn spoils_all(self) -> bool {
        matches!(self, Cause::OutOfMemory | Cause::Panicked | Cause::NoRoomForResult)
    }
}

static NEVER: AtomicI32 = AtomicI32::new(0);

/// Every worker looks at it between items, so it has cache lines of its own: next to anything that is written, each look would
/// wait for that line.
#[derive(Debug)]
#[repr(align(128))]
pub struct Halt<'a> {
    cause: AtomicU32,
    cancel: &'a AtomicI32,
}

impl<'a> Halt<'a> {
    pub fn new(cancel: Option<&'a AtomicI32>) -> Halt<'a> {
        Halt { cause: AtomicU32::new(0), cancel: cancel.unwrap_or(&NEVER) }
    }

    /// Whether no new item may start.
    pub fn stops(&self) -> bool {
        if self.cancel.load(Relaxed) != 0 {
            self.raise(Cause::CancelFlag);
        }
        self.cause.load(Relaxed) != 0
    }

    /// The same for the loop over items, where it is asked before every one.
    #[inline]
    pub fn brake(&self) -> Brake<'_> {
        Brake { cause: &self.cause, cancel: self.cancel }
    }

    #[cold]
    pub fn raise(&self, cause: Cause) {
        // Relaxed: a cause tells no other memory; the results are published when a worker leaves the call.
        let _ = self.cause.compare_exchange(0, cause as u32, Relaxed, Relaxed);
    }

    pub fn cause(&self) -> Option<Cause> {
        Cause::from_number(self.cause.load(Relaxed))
    }
}

/// Two words that nobody writes until the end, so that looking at them before every item costs next to nothing.
#[derive(Clone, Copy)]
pub struct Brake<'a> {
    cause: &'a AtomicU32,
    cancel: &'a AtomicI32,
}

impl Brake<'_> {
    #[inline(always)]
    pub fn stops(&self) -> bool {
        self.cause.load(Relaxed) | self.cancel.load(Relaxed) as u32 != 0
    }
}
