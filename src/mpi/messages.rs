//! The user's messages, of any length, between two ranks.
//!
//! A receiver does not know what will come, and to ask MPI first (a probe) takes as long as a short message. So it posts a
//! receive at once, with room for any short message. A long one is announced by a short one that holds its length, and its
//! bytes come behind in pieces that an int can count. An announcement is known by its length, so that every other short
//! message travels as it is, without a copy; one that happens to be as long as an announcement is announced itself.
//!
//! Nothing comes between an announcement and its pieces, since MPI keeps the order between two ranks on a lane and a rank
//! sends one message at a time.

use super::api::{Arrival, Lane};
use super::failure::Failure;
use super::mailbox::Letter;
use super::pieces::PIECE;
use super::presence::Doing;
use super::session::Session;
use super::tray::SHORT;
use crate::abi::bytes::par_bytes;
use crate::memory;
use std::ptr;

/// What every MPI must admit; more works with some alone.
const LAST_TAG: i32 = 32767;

/// An announcement begins with the length that is announced. Its own is one that few messages have.
const ANNOUNCEMENT: usize = 61;

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
    if data.len() <= SHORT && data.len() != ANNOUNCEMENT {
        return send_one(session, data, to, tag);
    }
    let mut announcement = [0; ANNOUNCEMENT];
    announcement[..8].copy_from_slice(&(data.len() as u64).to_ne_bytes());
    send_one(session, &announcement, to, tag)?;
    data.chunks(PIECE).try_for_each(|piece| send_one(session, piece, to, tag)).map_err(|why| lost(session, why))
}

fn send_one(session: &Session, data: &[u8], to: i32, tag: i32) -> Result<(), Failure> {
    let lanes = session.lanes().expect("another rank is there");
    // SAFETY: the data stay until the request is done.
    let request = session.judge(unsafe { lanes.send(Lane::User, data.as_ptr(), data.len(), to, tag) })?;
    session.finish(request, data.len())
}

/// Receives the next message from `source` with `tag` (None: from anyone, with any).
pub fn receive(session: &mut Session, source: Option<i32>, tag: Option<i32>) -> Result<Message, Failure> {
    if let Some(letter) = begin_to_receive(session, source, tag)? {
        return Ok(Message { bytes: copy_of(&letter.data)?, source: session.rank, tag: letter.tag });
    }
    let place = session.tray.as_mut_ptr();
    // SAFETY: a tray has as much room, and stays.
    let Arrival { source, tag, len } = unsafe { session.await_arrival(place, SHORT, source, tag) }?;
    let bytes = match len {
        ANNOUNCEMENT => receive_announced(session, announced(session.tray.first(len)), source, tag)?,
        len => copy_of(session.tray.first(len))?,
    };
    Ok(Message { bytes, source, tag })
}

/// The same, where the caller may have room for the message: `check_room` says whether it did.
pub fn receive_in_place(
    session: &mut Session,
    room: &mut [u8],
    source: Option<i32>,
    tag: Option<i32>,
) -> Result<Arrival, Failure> {
    if let Some(letter) = begin_to_receive(session, source, tag)? {
        let arrival = Arrival { source: session.rank, tag: letter.tag, len: letter.data.len() };
        copy_what_fits(&letter.data, room);
        return Ok(arrival);
    }
    // What has room for every short message gets it without a copy.
    let in_room = room.len() >= SHORT;
    let place = if in_room { room.as_mut_ptr() } else { session.tray.as_mut_ptr() };
    // SAFETY: both have as much room, and stay.
    let arrival = unsafe { session.await_arrival(place, SHORT, source, tag) }?;
    match arrival.len {
        ANNOUNCEMENT => {
            let len = announced(if in_room { &room[..ANNOUNCEMENT] } else { session.tray.first(ANNOUNCEMENT) });
            receive_announced_in_place(session, room, Arrival { len, ..arrival })
        }
        _ if in_room => Ok(arrival),
        len => {
            copy_what_fits(session.tray.first(len), room);
            Ok(arrival)
        }
    }
}

/// Some: this rank has sent it to itself. None: it is still to arrive.
fn begin_to_receive(session: &mut Session, source: Option<i32>, tag: Option<i32>) -> Result<Option<Letter>, Failure> {
    if let Some(source) = source {
        check_rank(session, "source", source)?;
    }
    if let Some(tag) = tag.filter(|tag| !(0..=LAST_TAG).contains(tag)) {
        return Err(Failure::argument(format!("tag is {tag}: use PAR_MPI_ANY or a number from 0 to {LAST_TAG}")));
    }
    let own = source.is_none_or(|source| source == session.rank);
    if let Some(letter) = own.then(|| session.mailbox.take(tag)).flatten() {
        return Ok(Some(letter));
    }
    if session.size == 1 || source == Some(session.rank) {
        return Err(Failure::mpi(format!(
            "rank {} would wait for ever for a message from itself: it has sent none with this tag",
            session.rank
        )));
    }
    session.begin(Doing::Receiving(source))?;
    Ok(None)
}

/// A part of a message would be taken for the next one, and its sender may wait for ever.
#[cold]
fn lost(session: &Session, why: Failure) -> Failure {
    session.break_off(&why.sentence);
    why
}

fn check_rank(session: &Session, what: &str, rank: i32) -> Result<(), Failure> {
    if (0..session.size).contains(&rank) {
        return Ok(());
    }
    let last = session.size - 1;
    Err(Failure::argument(format!("{what} is {rank}, but ranks go from 0 to {last}")))
}

/// The length of the message that an announcement announces.
fn announced(announcement: &[u8]) -> usize {
    let length = announcement.first_chunk().expect("it begins with the length");
    u64::from_ne_bytes(*length) as usize
}

/// Receives the `len` bytes that were announced.
///
/// # Safety
/// `data` has room for them.
unsafe fn receive_pieces(session: &Session, data: *mut u8, len: usize, source: i32, tag: i32) -> Result<(), Failure> {
    for begin in (0..len).step_by(PIECE) {
        // SAFETY: the caller says so.
        unsafe { receive_piece(session, data.add(begin), PIECE.min(len - begin), source, tag) }?;
    }
    Ok(())
}

/// The same, for what does not fit.
fn forget_pieces(session: &Session, len: usize, source: i32, tag: i32) -> Result<(), Failure> {
    let place = allocate(PIECE.min(len))?.data;
    for begin in (0..len).step_by(PIECE) {
        // SAFETY: there is room for a piece. After a failure it is never freed, since MPI may still write there.
        unsafe { receive_piece(session, place.cast(), PIECE.min(len - begin), source, tag) }?;
    }
    // SAFETY: the memory is malloc's.
    unsafe { libc::free(place) };
    Ok(())
}

/// # Safety
/// `data` has room for `len` bytes.
unsafe fn receive_piece(session: &Session, data: *mut u8, len: usize, source: i32, tag: i32) -> Result<(), Failure> {
    let lanes = session.lanes().expect("another rank is there");
    // SAFETY: the caller says so, and the place stays until the request is done.
    let request = session.judge(unsafe { lanes.post(Lane::User, data, len, Some(source), Some(tag)) })?;
    session.finish(request, len)
}

fn receive_announced(session: &Session, len: usize, source: i32, tag: i32) -> Result<par_bytes, Failure> {
    let received = allocate(len).and_then(|bytes| {
        // SAFETY: there is room for the message. After a failure it is never freed, since MPI may still write there.
        unsafe { receive_pieces(session, bytes.data.cast(), len, source, tag) }.map(|()| bytes)
    });
    received.map_err(|why| lost(session, why))
}

fn receive_announced_in_place(session: &Session, room: &mut [u8], announced: Arrival) -> Result<Arrival, Failure> {
    let Arrival { source, tag, len } = announced;
    let received = match room.get_mut(..len) {
        // SAFETY: the room is there.
        Some(place) => unsafe { receive_pieces(session, place.as_mut_ptr(), len, source, tag) },
        None => forget_pieces(session, len, source, tag),
    };
    received.map(|()| announced).map_err(|why| lost(session, why))
}

/// Err: the message that has come is lost.
pub fn check_room(arrival: &Arrival, room: usize) -> Result<(), Failure> {
    let Arrival { source, len, .. } = arrival;
    if *len <= room {
        return Ok(());
    }
    Err(Failure::argument(format!(
        "the message from rank {source} has {len} bytes but there is room for {room}, so it is lost: pass more room"
    )))
}

fn copy_of(data: &[u8]) -> Result<par_bytes, Failure> {
    let bytes = allocate(data.len())?;
    // SAFETY: there is room for the data.
    unsafe { ptr::copy_nonoverlapping(data.as_ptr(), bytes.data.cast(), data.len()) };
    Ok(bytes)
}

fn copy_what_fits(data: &[u8], room: &mut [u8]) {
    if let Some(place) = room.get_mut(..data.len()) {
        place.copy_from_slice(data);
    }
}

fn allocate(len: usize) -> Result<par_bytes, Failure> {
    if len == 0 {
        return Ok(par_bytes { data: ptr::null_mut(), len });
    }
    // SAFETY: what is there is written before anyone reads it.
    let data = unsafe { libc::malloc(len) };
    if data.is_null() { Err(Failure::memory("a message", len)) } else { Ok(par_bytes { data, len }) }
}

/// # Safety
/// `bytes` is zeroed or holds malloc's memory, which is freed.
pub unsafe fn put(message: par_bytes, bytes: &mut par_bytes) {
    // SAFETY: the caller says so.
    unsafe { memory::resize(bytes.data.cast(), bytes.len, 0) };
    *bytes = message;
}
