//! What rank 0 knows while it serves a call.

use super::Call;
use super::desk::Desk;
use super::post::Leaving;
use super::watch::Watch;
use crate::job::Tally;
use crate::mpi::session::Session;
use crate::schedule::Picos;
use std::ops::Range;
use std::time::Instant;

/// What rank 0 knows of another rank.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    pub workers: usize,
    /// It waits for an answer.
    pub asking: bool,
    /// How many of its workers could begin at once; 0: none of them takes part.
    pub asks: usize,
    /// Units that were handed to it and not accounted for.
    pub held: usize,
    pub last: usize,
    /// When it will come for more, if that is known and it will still have enough then.
    pub due: Option<Instant>,
    pub took_part: usize,
    pub busy: Picos,
    pub has_identity: bool,
    pub told_to_stop: bool,
    /// What it ran; kept of the only other rank.
    pub ran: Vec<Range<usize>>,
}

pub struct Service<'a> {
    pub call: &'a Call<'a>,
    pub session: &'a Session,
    pub desk: &'a Desk<'a>,
    pub peers: Vec<Peer>,
    pub all_workers: usize,
    pub wants_outcomes: bool,
    pub watch: Watch<'a>,
    /// Of other ranks, and of this one's workers as far as they have been asked.
    pub tally: Tally,
    /// The last hand-out to each of them, which it has when it asks again.
    pub handed: Vec<Option<Leaving<Vec<u8>>>>,
    /// Units that were handed out and did not run.
    pub gaps: Vec<Range<usize>>,
}
