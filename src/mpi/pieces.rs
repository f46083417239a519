//! Messages of our own, of any length, between two ranks.
//!
//! MPI counts in ints, so a message goes in pieces of `PIECE` bytes and a last one that is shorter (it may be empty): a
//! piece of full length says that another follows. Pieces of one message never mix with another's, since MPI keeps the
//! order between two ranks on a lane and a rank sends one message at a time.

use super::api::{Envelope, Lane, Request};
use super::failure::Failure;
use super::session::Session;
use crate::abi::bytes::par_bytes;
use std::ptr;

/// Half of what an int can count.
pub const PIECE: usize = 1 << 30;

/// Memory from `malloc`, freed unless it is given away.
pub struct Received(par_bytes);

impl Received {
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the memory has as many bytes.
        if self.0.len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.0.data.cast(), self.0.len) } }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // SAFETY: the memory is malloc's, or NULL.
        unsafe { libc::free(self.0.data) };
    }
}

pub fn send(session: &Session, data: &[u8], to: i32, tag: i32) -> Result<(), Failure> {
    let mut begun = Vec::new();
    // SAFETY: the data stay until all requests are done.
    unsafe { begin(session, data, to, tag, &mut begun) }?;
    finish(session, begun)
}

/// What of a message MPI has begun to send, and how many bytes each.
pub type Begun = Vec<(Request, usize)>;

/// Begins to send, and notes what has begun.
///
/// # Safety
/// `data` stays until that is done.
pub unsafe fn begin(session: &Session, data: &[u8], to: i32, tag: i32, begun: &mut Begun) -> Result<(), Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let mut rest = data;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(PIECE));
        // SAFETY: the caller says so.
        let request = session.judge(unsafe { lanes.send(Lane::Own, piece.as_ptr(), piece.len(), to, tag) })?;
        begun.push((request, piece.len()));
        if piece.len() < PIECE {
            return Ok(());
        }
        rest = after;
    }
}

pub fn finish(session: &Session, begun: Begun) -> Result<(), Failure> {
    begun.into_iter().try_for_each(|(request, len)| session.finish(request, len))
}

/// Receives a message of our own, whose length is known, from `source`. `meanwhile` is called now and then: a long message
/// comes when its sender finds time for it.
pub fn receive_into(
    session: &Session,
    data: &mut [u8],
    source: i32,
    tag: i32,
    meanwhile: &mut dyn FnMut(),
) -> Result<(), Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let mut rest = data;
    loop {
        let piece = session.wait(|lanes| {
            meanwhile();
            lanes.probe(Lane::Own, Some(source), Some(tag))
        })?;
        if piece.len != rest.len().min(PIECE) {
            return Err(Failure::mpi(format!(
                "rank {source} sends {} bytes where {} were expected: make the same call on every rank",
                piece.len,
                rest.len().min(PIECE)
            )));
        }
        // SAFETY: there is room for the piece, which stays until the request is done.
        let request = session.judge(unsafe { lanes.receive(&piece, rest.as_mut_ptr()) })?;
        session.finish_while(request, piece.len, meanwhile)?;
        if piece.len < PIECE {
            return Ok(());
        }
        rest = rest.split_at_mut(PIECE).1;
    }
}

/// Receives a message whose first piece has come. `meanwhile` as above.
pub fn receive(session: &Session, first: Envelope, meanwhile: &mut dyn FnMut()) -> Result<Received, Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let mut received = Received(EMPTY);
    let mut piece = first;
    loop {
        let before = received.0.len;
        grow(&mut received.0, before + piece.len)?;
        let to = received.0.data.cast::<u8>().wrapping_add(before);
        // SAFETY: there is room for the piece, which stays until the request is done.
        let request = session.judge(unsafe { lanes.receive(&piece, to) })?;
        session.finish_while(request, piece.len, meanwhile)?;
        if piece.len < PIECE {
            return Ok(received);
        }
        let (source, tag) = (Some(piece.source), Some(piece.tag));
        piece = session.wait(|lanes| {
            meanwhile();
            lanes.probe(Lane::Own, source, tag)
        })?;
    }
}

const EMPTY: par_bytes = par_bytes { data: ptr::null_mut(), len: 0 };

fn grow(bytes: &mut par_bytes, len: usize) -> Result<(), Failure> {
    if len == bytes.len {
        return Ok(());
    }
    // SAFETY: the memory is malloc's; what is behind `len` bytes is written before anyone reads it.
    let data = unsafe { libc::realloc(bytes.data, len) };
    if data.is_null() {
        return Err(Failure::memory("a message", len));
    }
    *bytes = par_bytes { data, len };
    Ok(())
}
