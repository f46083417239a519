//! What all ranks do together with the user's bytes. Each waits without burning a core.

use super::api::Lane;
use super::failure::Failure;
use super::pieces::{self, PIECE};
use super::presence;
use super::session::Session;
use std::slice;

/// A tag for shares that are sent one by one; on our own lane.
const SHARE: i32 = 1;

pub fn barrier(session: &mut Session) -> Result<(), Failure> {
    session.begin(presence::BARRIER)?;
    let Some(lanes) = session.lanes() else { return Ok(()) };
    // SAFETY: all ranks make the same call.
    let request = session.judge(unsafe { lanes.barrier(Lane::User) })?;
    session.finish(request, 0)
}

/// # Safety
/// `data` has `len` bytes, writable where this is not the root.
pub unsafe fn broadcast(session: &mut Session, data: *mut u8, len: usize, root: i32) -> Result<(), Failure> {
    check_root(session, root)?;
    session.begin(presence::BROADCAST)?;
    // SAFETY: the caller says so.
    unsafe { broadcast_on(session, Lane::User, data, len, root) }
}

/// # Safety
/// As for `broadcast`.
pub unsafe fn broadcast_on(session: &Session, lane: Lane, data: *mut u8, len: usize, root: i32) -> Result<(), Failure> {
    let Some(lanes) = session.lanes() else { return Ok(()) };
    for begin in (0..len).step_by(PIECE) {
        let piece = PIECE.min(len - begin);
        // SAFETY: all ranks make the same call; the piece lies within the data and stays.
        let request = session.judge(unsafe { lanes.broadcast(lane, data.add(begin), piece, root) })?;
        session.finish(request, piece)?;
    }
    Ok(())
}

/// # Safety
/// `mine` has `each` writable bytes; at the root, `all` has as many for each rank.
pub unsafe fn scatter(
    session: &mut Session,
    all: *const u8,
    mine: *mut u8,
    each: usize,
    root: i32,
) -> Result<(), Failure> {
    check_root(session, root)?;
    session.begin(presence::SCATTER)?;
    let place = if session.rank == root { all.wrapping_add(root as usize * each) } else { std::ptr::null() };
    let Some(lanes) = session.lanes().filter(|_| fits(session, each)) else {
        // SAFETY: the caller promises so many bytes.
        return unsafe { scatter_one_by_one(session, all, mine, each, root) };
    };
    let mine = if session.rank == root && place == mine { std::ptr::null_mut() } else { somewhere(mine) };
    // SAFETY: all ranks make the same call; the memory is what the caller promises, and stays.
    let request = session.judge(unsafe { lanes.scatter(all, mine, each, root) })?;
    session.finish(request, each)
}

/// # Safety
/// `mine` has `each` bytes; at the root, `all` has as many, writable, for each rank.
pub unsafe fn gather(
    session: &mut Session,
    mine: *const u8,
    all: *mut u8,
    each: usize,
    root: i32,
) -> Result<(), Failure> {
    check_root(session, root)?;
    session.begin(presence::GATHER)?;
    let place = if session.rank == root { all.wrapping_add(root as usize * each) } else { std::ptr::null_mut() };
    let Some(lanes) = session.lanes().filter(|_| fits(session, each)) else {
        // SAFETY: the caller promises so many bytes.
        return unsafe { gather_one_by_one(session, mine, all, each, root) };
    };
    let mine = if session.rank == root && place == mine.cast_mut() {
        std::ptr::null_mut()
    } else {
        somewhere(mine.cast_mut())
    };
    // SAFETY: all ranks make the same call; the memory is what the caller promises, and stays.
    let request = session.judge(unsafe { lanes.gather(mine, all, each, root) })?;
    session.finish(request, each)
}

/// `kind` and `operation` count from 0, elements have `width` bytes.
///
/// # Safety
/// `input` has `count` elements; so has `output` at the root, writable.
#[allow(clippy::too_many_arguments)]
pub unsafe fn reduce(
    session: &mut Session,
    input: *const u8,
    output: *mut u8,
    count: usize,
    (kind, width): (usize, usize),
    operation: usize,
    root: i32,
) -> Result<(), Failure> {
    check_root(session, root)?;
    session.begin(presence::REDUCE)?;
    let at_root = session.rank == root;
    let Some(lanes) = session.lanes() else {
        // SAFETY: there is one rank, which is the root. The two may be the same memory.
        unsafe { std::ptr::copy(input, output, count * width) };
        return Ok(());
    };
    let step = PIECE / width;
    for begin in (0..count).step_by(step) {
        let piece = step.min(count - begin);
        let from = if at_root && input == output { std::ptr::null() } else { input.wrapping_add(begin * width) };
        let to = if at_root { output.wrapping_add(begin * width) } else { std::ptr::null_mut() };
        // SAFETY: all ranks make the same call; the pieces lie within what the caller promises, and stay.
        let request = session.judge(unsafe { lanes.reduce(from, to, piece, kind, operation, root) })?;
        session.finish(request, piece * width)?;
    }
    Ok(())
}

fn check_root(session: &Session, root: i32) -> Result<(), Failure> {
    if (0..session.size).contains(&root) {
        return Ok(());
    }
    Err(Failure::argument(format!("root is {root}, but ranks go from 0 to {}", session.size - 1)))
}

/// Nothing at all may be at NULL, which to the lanes means in place, and that is for the root alone. (To MPI, so do small
/// numbers, so it gets a place that is one.)
fn somewhere(data: *mut u8) -> *mut u8 {
    static NOWHERE: u8 = 0;
    if data.is_null() { std::ptr::from_ref(&NOWHERE).cast_mut() } else { data }
}

/// Some libraries count the whole in an int.
fn fits(session: &Session, each: usize) -> bool {
    each.checked_mul(session.size as usize).is_some_and(|all| all <= PIECE)
}

unsafe fn scatter_one_by_one(
    session: &mut Session,
    all: *const u8,
    mine: *mut u8,
    each: usize,
    root: i32,
) -> Result<(), Failure> {
    if session.rank != root {
        // SAFETY: the caller promises `each` bytes.
        return pieces::receive_into(
            session,
            unsafe { slice::from_raw_parts_mut(mine, each) },
            root,
            SHARE,
            &mut || {},
        );
    }
    for to in 0..session.size {
        let share = all.wrapping_add(to as usize * each);
        if to == root {
            // SAFETY: the caller promises `each` bytes for each rank; they may be in place.
            unsafe { std::ptr::copy(share, mine, each) };
        } else {
            // SAFETY: the caller promises `each` bytes for each rank.
            pieces::send(session, unsafe { slice::from_raw_parts(share, each) }, to, SHARE)?;
        }
    }
    Ok(())
}

unsafe fn gather_one_by_one(
    session: &mut Session,
    mine: *const u8,
    all: *mut u8,
    each: usize,
    root: i32,
) -> Result<(), Failure> {
    if session.rank != root {
        // SAFETY: the caller promises `each` bytes.
        return pieces::send(session, unsafe { slice::from_raw_parts(mine, each) }, root, SHARE);
    }
    for from in 0..session.size {
        let share = all.wrapping_add(from as usize * each);
        if from == root {
            // SAFETY: the caller promises `each` bytes for each rank; they may be in place.
            unsafe { std::ptr::copy(mine, share, each) };
        } else {
            // SAFETY: the caller promises `each` bytes for each rank.
            pieces::receive_into(session, unsafe { slice::from_raw_parts_mut(share, each) }, from, SHARE, &mut || {})?;
        }
    }
    Ok(())
}
