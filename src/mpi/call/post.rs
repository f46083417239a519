//! The messages of a call: a head, and blocks of bytes that go along with it if they are small, and behind it if not.

use super::wire::{Reader, Writer};
use crate::mpi::api::Envelope;
use crate::mpi::failure::Failure;
use crate::mpi::pieces::{self, Begun, Received};
use crate::mpi::session::Session;
use std::mem::ManuallyDrop;

pub const TO_RANK_0: i32 = 2;
pub const FROM_RANK_0: i32 = 3;
const BLOCK: i32 = 4;
/// Nobody sends this.
pub const NOTHING: i32 = 0;

/// What a message to another rank says.
pub const HELLO: u64 = 1;
pub const REQUEST: u64 = 2;
pub const WORK: u64 = 3;
pub const NOTHING_NOW: u64 = 4;
pub const STOP: u64 = 5;
pub const REFUSED: u64 = 6;
pub const END: u64 = 7;

/// Copying so much costs less than a second message.
const SMALL: usize = 16 << 10;

/// A message on its way, with what it consists of. That is freed when it has left, and never if MPI failed.
pub struct Leaving<Kept> {
    begun: Begun,
    kept: ManuallyDrop<(Vec<u8>, Kept)>,
}

impl<Kept> Leaving<Kept> {
    /// Waits until it has left, and gives back what held the blocks.
    pub fn finish(self, session: &Session) -> Result<Kept, Failure> {
        pieces::finish(session, self.begun)?;
        Ok(ManuallyDrop::into_inner(self.kept).1)
    }
}

/// Begins to send a head and the blocks whose lengths the receiver knows from it. `kept` is what holds them.
///
/// # Safety
/// The blocks stay until the message has left; `kept` does so.
pub unsafe fn begin<Kept>(
    session: &Session,
    to: i32,
    tag: i32,
    mut head: Writer,
    blocks: &[&[u8]],
    kept: Kept,
) -> Result<Leaving<Kept>, Failure> {
    let len: usize = blocks.iter().map(|block| block.len()).sum();
    let along = len <= SMALL;
    head.number(u64::from(along));
    if along {
        blocks.iter().for_each(|block| head.0.extend_from_slice(block));
    }
    let mut leaving = Leaving { begun: Begun::new(), kept: ManuallyDrop::new((head.0, kept)) };
    // SAFETY: the head is kept, and the caller promises that the blocks stay.
    unsafe {
        pieces::begin(session, &leaving.kept.0, to, tag, &mut leaving.begun)?;
        for block in blocks.iter().filter(|block| !along && !block.is_empty()) {
            pieces::begin(session, block, to, BLOCK, &mut leaving.begun)?;
        }
    }
    Ok(leaving)
}

/// Sends a head alone, and waits until it has left.
pub fn send(session: &Session, to: i32, tag: i32, head: Writer) -> Result<(), Failure> {
    // SAFETY: there are no blocks.
    unsafe { begin(session, to, tag, head, &[], ()) }?.finish(session)
}

pub fn receive(session: &Session, envelope: Envelope) -> Result<Received, Failure> {
    receive_while(session, envelope, &mut || {})
}

/// The same, looking after something else as long as that takes.
pub fn receive_while(session: &Session, envelope: Envelope, meanwhile: &mut dyn FnMut()) -> Result<Received, Failure> {
    pieces::receive(session, envelope, meanwhile)
}

/// The blocks of a message whose head has been read.
pub struct Blocks<'s, 'a> {
    session: &'s Session,
    source: i32,
    along: Option<&'a [u8]>,
}

impl<'s, 'a> Blocks<'s, 'a> {
    pub fn new(session: &'s Session, source: i32, head: &mut Reader<'a>) -> Blocks<'s, 'a> {
        let along = head.number() != 0;
        Blocks { session, source, along: along.then_some(head.0) }
    }

    /// Receives the next block, which is as long as `data`.
    pub fn fill(&mut self, data: &mut [u8]) -> Result<(), Failure> {
        self.fill_while(data, &mut || {})
    }

    /// The same, looking after something else as long as that takes.
    pub fn fill_while(&mut self, data: &mut [u8], meanwhile: &mut dyn FnMut()) -> Result<(), Failure> {
        match &mut self.along {
            Some(rest) => {
                let (block, after) = rest.split_at(data.len().min(rest.len()));
                data[..block.len()].copy_from_slice(block);
                *rest = after;
                Ok(())
            }
            None if data.is_empty() => Ok(()),
            None => pieces::receive_into(self.session, data, self.source, BLOCK, meanwhile),
        }
    }
}
