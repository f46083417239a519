//! MPI as the rest of this module sees it, whatever library it is; `functions` calls the one that is there.
//!
//! Nothing here waits: what may take time gives a `Request`, and `waiting` waits for it.

use std::ffi::c_int;
use std::sync::atomic::AtomicBool;

/// What MPI answered instead of success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub c_int);

pub type Answer<T> = Result<T, Code>;

/// Where messages travel: the user's never meet our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    User,
    Own,
}

/// Something that MPI has begun; a handle, kept as a word.
#[derive(Debug)]
pub struct Request(pub usize);

/// A message that has come, and that nobody else can receive any more.
#[derive(Debug)]
pub struct Envelope {
    /// A handle, kept as a word.
    pub message: usize,
    pub source: i32,
    pub tag: i32,
    pub len: usize,
}

/// What has arrived where a receive was posted.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub source: i32,
    pub tag: i32,
    pub len: usize,
}

/// What became of a receive that was taken back.
#[derive(Clone, Copy, Debug)]
pub enum Recalled {
    /// It may still be either.
    Unknown,
    /// No message was touched.
    Unused,
    /// A message was faster.
    Used(Arrival),
}

/// A library of any kind. Lengths fit into an int: the callers cut what is longer. Memory that a request uses must stay
/// until the request is done, and every rank must make the same collective calls: that is what makes these unsafe.
#[allow(clippy::missing_safety_doc)]
pub trait Mpi: Send + Sync {
    fn is_initialized(&self) -> bool;
    fn is_finalized(&self) -> bool;
    /// Has `has_ended` set when MPI is finalized, by whomever: to ask each time would cost each message.
    fn note_end(&self, has_ended: &'static AtomicBool) -> Answer<()>;
    /// Asks for a level that lets any thread call, one at a time.
    fn initialize(&self) -> Answer<()>;
    /// Whether any thread may call, one at a time.
    fn admits_any_thread(&self) -> bool;
    /// Whether this thread may call.
    fn admits_this_thread(&self) -> bool;
    fn finalize(&self) -> Answer<()>;
    fn abort(&self, code: i32);
    fn version(&self) -> String;
    fn processor_name(&self) -> Answer<String>;
    fn error_text(&self, code: Code) -> String;
    /// This rank, and how many there are.
    fn rank_and_size(&self) -> Answer<(i32, i32)>;
    /// Begins a barrier of all ranks, before there are lanes.
    unsafe fn gather_in_world(&self) -> Answer<Request>;
    /// Opens both lanes; all ranks must.
    fn open(&'static self) -> Answer<Box<dyn Lanes>>;
    /// Whether the request is done.
    fn test(&self, request: &mut Request) -> Answer<bool>;
}

/// What needs the lanes.
#[allow(clippy::missing_safety_doc)]
pub trait Lanes: Send + Sync {
    unsafe fn send(&self, lane: Lane, data: *const u8, len: usize, to: i32, tag: i32) -> Answer<Request>;
    /// A message from `source` (None: anyone) with `tag` (None: any), if one has come.
    fn probe(&self, lane: Lane, source: Option<i32>, tag: Option<i32>) -> Answer<Option<Envelope>>;
    /// Receives what was probed into `envelope.len` bytes.
    unsafe fn receive(&self, envelope: &Envelope, data: *mut u8) -> Answer<Request>;
    /// Begins to receive the next message from `source` (None: anyone) with `tag` (None: any) into `room` bytes. A longer one
    /// is an error.
    unsafe fn post(
        &self,
        lane: Lane,
        data: *mut u8,
        room: usize,
        source: Option<i32>,
        tag: Option<i32>,
    ) -> Answer<Request>;
    /// What has arrived for a posted receive.
    fn arrived(&self, request: &mut Request) -> Answer<Option<Arrival>>;
    /// Begins to take back a posted receive.
    fn recall(&self, request: &mut Request) -> Answer<()>;
    /// What became of it.
    fn recalled(&self, request: &mut Request) -> Answer<Recalled>;
    /// Whether it is done.
    fn test(&self, request: &mut Request) -> Answer<bool>;
    unsafe fn barrier(&self, lane: Lane) -> Answer<Request>;
    unsafe fn broadcast(&self, lane: Lane, data: *mut u8, len: usize, root: i32) -> Answer<Request>;
    /// `mine` NULL: the root's share is in place.
    unsafe fn scatter(&self, all: *const u8, mine: *mut u8, each: usize, root: i32) -> Answer<Request>;
    /// `mine` NULL: the root's share is in place.
    unsafe fn gather(&self, mine: *const u8, all: *mut u8, each: usize, root: i32) -> Answer<Request>;
    /// `input` NULL: the root's share is in place. `kind` and `operation` count from 0.
    unsafe fn reduce(
        &self,
        input: *const u8,
        output: *mut u8,
        count: usize,
        kind: usize,
        operation: usize,
        root: i32,
    ) -> Answer<Request>;
}
