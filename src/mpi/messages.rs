//! Messages of any length between two ranks.
//!
//! MPI counts in ints, so a message goes in pieces of `PIECE` bytes and a last one that is shorter (it may be empty): a
//! piece of full length says that another follows. Pieces of one message never mix with another's, since MPI keeps the
//! order between two ranks on a lane and a rank sends one message at a time.

use super::api::{Envelope, Lane};
use super::failure::Failure;
use super::mailbox::Letter;
use super::presence::Doing;
use super::session::Session;
use crate::abi::bytes::par_bytes;
use crate::memory;
use std::ptr;

/// Half of what an int can count.
pub const PIECE: usize = 1 << 30;

/// What every MPI must admit; more works with some alone.
const LAST_TAG: i32 = 32767;

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

/// What has come: the caller owns the bytes.
pub struct Message {
    pub bytes: par_bytes,
    pub source: i32,
    pub tag: i32,
}

/// Sends `data` to a rank, this one included. It returns when the data may be changed again.
pub fn send(session: &mut Session, data: &[u8], to: i32, tag: i32) -> Result<(), Failure> {
    check_rank(session, "destination", to)?;
    if !(0..=LAST_TAG).contains(&tag) {
        return Err(Failure::argument(format!("tag is {tag}: use a number from 0 to {LAST_TAG}")));
    }
    if to == session.rank {
        return session.mailbox.put(tag, data);
    }
    session.begin(Doing::Sending(to))?;
    send_pieces(session, Lane::User, data, to, tag)
}

/// Receives the next message from `source` with `tag` (None: from anyone, with any).
pub fn receive(session: &mut Session, source: Option<i32>, tag: Option<i32>) -> Result<Message, Failure> {
    match next(session, source, tag)? {
        Next::Letter(letter) => {
            let mut received = Received(EMPTY);
            grow(&mut received.0, letter.data.len())?;
            // SAFETY: there is room for the letter.
            unsafe { ptr::copy_nonoverlapping(letter.data.as_ptr(), received.0.data.cast(), letter.data.len()) };
            Ok(Message { bytes: given(received), source: session.rank, tag: letter.tag })
        }
        Next::Envelope(first) => {
            let (source, tag) = (first.source, first.tag);
            let received = receive_pieces(session, Lane::User, first).map_err(|why| lost(session, why))?;
            Ok(Message { bytes: given(received), source, tag })
        }
    }
}

/// The same, where the caller has room for the message. Answers its length, source and tag.
pub fn receive_in_place(
    session: &mut Session,
    room: &mut [u8],
    source: Option<i32>,
    tag: Option<i32>,
) -> Result<(usize, i32, i32), Failure> {
    let (len, source, tag) = match next(session, source, tag)? {
        Next::Letter(letter) => {
            if let Some(room) = room.get_mut(..letter.data.len()) {
                room.copy_from_slice(&letter.data);
            }
            (letter.data.len(), session.rank, letter.tag)
        }
        Next::Envelope(first) => {
            let (source, tag) = (first.source, first.tag);
            let len = receive_what_fits(session, room, first).map_err(|why| lost(session, why))?;
            (len, source, tag)
        }
    };
    if len > room.len() {
        let room = room.len();
        return Err(Failure::argument(format!(
            "the message from rank {source} has {len} bytes but there is room for {room}, so it is lost: pass more room"
        )));
    }
    Ok((len, source, tag))
}

/// A part of a message would be taken for the next one, and its sender may wait for ever.
fn lost(session: &Session, why: Failure) -> Failure {
    session.break_off(&why.sentence);
    why
}

enum Next {
    Letter(Letter),
    Envelope(Envelope),
}

/// Waits for a message.
fn next(session: &mut Session, source: Option<i32>, tag: Option<i32>) -> Result<Next, Failure> {
    if let Some(source) = source {
        check_rank(session, "source", source)?;
    }
    if let Some(tag) = tag.filter(|tag| !(0..=LAST_TAG).contains(tag)) {
        return Err(Failure::argument(format!("tag is {tag}: use PAR_MPI_ANY or a number from 0 to {LAST_TAG}")));
    }
    let own = source.is_none_or(|source| source == session.rank);
    if let Some(letter) = own.then(|| session.mailbox.take(tag)).flatten() {
        return Ok(Next::Letter(letter));
    }
    if session.size == 1 || source == Some(session.rank) {
        return Err(Failure::mpi(format!(
            "rank {} would wait for ever for a message from itself: it has sent none with this tag",
            session.rank
        )));
    }
    session.begin(Doing::Receiving(source))?;
    session.await_message(|lanes| lanes.probe(Lane::User, source, tag)).map(Next::Envelope)
}

fn check_rank(session: &Session, what: &str, rank: i32) -> Result<(), Failure> {
    if (0..session.size).contains(&rank) {
        return Ok(());
    }
    let last = session.size - 1;
    Err(Failure::argument(format!("{what} is {rank}, but ranks go from 0 to {last}")))
}

pub fn send_pieces(session: &Session, lane: Lane, data: &[u8], to: i32, tag: i32) -> Result<(), Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let mut rest = data;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(PIECE));
        // SAFETY: the piece stays until the request is done.
        let request = session.judge(unsafe { lanes.send(lane, piece.as_ptr(), piece.len(), to, tag) })?;
        session.finish(request, piece.len())?;
        if piece.len() < PIECE {
            return Ok(());
        }
        rest = after;
    }
}

/// Receives a message of our own, whose length is known, from `source`.
pub fn receive_into(session: &Session, data: &mut [u8], source: i32, tag: i32) -> Result<(), Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let mut rest = data;
    loop {
        let piece = session.wait(|lanes| lanes.probe(Lane::Own, Some(source), Some(tag)))?;
        if piece.len != rest.len().min(PIECE) {
            return Err(Failure::mpi(format!(
                "rank {source} sends {} bytes where {} were expected: make the same call on every rank",
                piece.len,
                rest.len().min(PIECE)
            )));
        }
        // SAFETY: there is room for the piece, which stays until the request is done.
        let request = session.judge(unsafe { lanes.receive(&piece, rest.as_mut_ptr()) })?;
        session.finish(request, piece.len)?;
        if piece.len < PIECE {
            return Ok(());
        }
        rest = rest.split_at_mut(PIECE).1;
    }
}

/// Receives a message whose first piece has come.
pub fn receive_pieces(session: &Session, lane: Lane, first: Envelope) -> Result<Received, Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let mut received = Received(EMPTY);
    let mut piece = first;
    loop {
        let before = received.0.len;
        grow(&mut received.0, before + piece.len)?;
        let to = received.0.data.cast::<u8>().wrapping_add(before);
        // SAFETY: there is room for the piece, which stays until the request is done.
        let request = session.judge(unsafe { lanes.receive(&piece, to) })?;
        session.finish(request, piece.len)?;
        if piece.len < PIECE {
            return Ok(received);
        }
        let (source, tag) = (Some(piece.source), Some(piece.tag));
        piece = session.wait(|lanes| lanes.probe(lane, source, tag))?;
    }
}

/// Receives a message whose first piece has come; what does not fit is received and forgotten. Answers its length.
fn receive_what_fits(session: &Session, room: &mut [u8], first: Envelope) -> Result<usize, Failure> {
    let lanes = session.lanes().expect("another rank is there");
    let (mut len, mut piece, mut forgotten) = (0, first, Vec::new());
    loop {
        let to = match room.get_mut(len..len + piece.len) {
            Some(place) => place.as_mut_ptr(),
            None => {
                let more = piece.len.saturating_sub(forgotten.len());
                forgotten.try_reserve_exact(more).map_err(|_| Failure::memory("a message", piece.len))?;
                forgotten.resize(piece.len, 0);
                forgotten.as_mut_ptr()
            }
        };
        // SAFETY: there is room for the piece, which stays until the request is done.
        let request = session.judge(unsafe { lanes.receive(&piece, to) })?;
        session.finish(request, piece.len)?;
        len += piece.len;
        if piece.len < PIECE {
            return Ok(len);
        }
        let (source, tag) = (Some(piece.source), Some(piece.tag));
        piece = session.wait(|lanes| lanes.probe(Lane::User, source, tag))?;
    }
}

const EMPTY: par_bytes = par_bytes { data: ptr::null_mut(), len: 0 };

fn given(received: Received) -> par_bytes {
    let bytes = received.0;
    std::mem::forget(received);
    bytes
}

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

/// # Safety
/// `bytes` is zeroed or holds malloc's memory, which is freed.
pub unsafe fn put(message: par_bytes, bytes: &mut par_bytes) {
    // SAFETY: the caller says so.
    unsafe { memory::resize(bytes.data.cast(), bytes.len, 0) };
    *bytes = message;
}
