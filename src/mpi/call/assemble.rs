//! How a call begins on rank 0: all ranks come, and all make the same call, or none does.

use super::post;
use super::service::Peer;
use super::signature::Signature;
use super::wire::{Reader, Writer};
use crate::abi::status::PAR_EMPI;
use crate::mpi::api::Lane;
use crate::mpi::failure::Failure;
use crate::mpi::session::Session;

/// Tells all ranks that this one cannot make the call.
pub fn decline(session: &Session, own: &Signature) -> Result<(), Failure> {
    match assemble(session, own, || {}, |_| None) {
        Err(failure) if failure.status == PAR_EMPI => Err(failure),
        _ => Ok(()),
    }
}

/// Waits for every rank, and goes on if all make the same call and nothing is in the way of `prepare`, which hears whether
/// any of them wants outcomes; so does the caller.
pub fn assemble(
    session: &Session,
    own: &Signature,
    mut meanwhile: impl FnMut(),
    prepare: impl FnOnce(bool) -> Option<String>,
) -> Result<(Vec<Peer>, bool), Failure> {
    let mut peers = vec![Peer::default(); session.size as usize - 1];
    let mut objection = (!own.refusal.is_empty()).then(|| format!("rank 0 cannot make this call: {}", own.refusal));
    let mut wants_outcomes = false;
    for _ in 1..session.size {
        let envelope = session.wait(|lanes| {
            meanwhile();
            lanes.probe(Lane::Own, None, Some(post::TO_RANK_0))
        })?;
        let rank = envelope.source as usize;
        let received = post::receive(session, envelope)?;
        let mut head = Reader(received.bytes());
        head.number();
        let signature = Signature::read(&mut head);
        let workers = head.size().max(1);
        wants_outcomes |= head.number() != 0;
        objection = objection.or_else(|| own.objection(rank, &signature));
        peers[rank - 1] = Peer { workers, asking: true, asks: workers, ..Peer::default() };
    }
    let Some(objection) = objection.or_else(|| prepare(wants_outcomes)) else { return Ok((peers, wants_outcomes)) };
    for rank in 1..session.size {
        let mut head = Writer::default();
        head.number(post::REFUSED).bytes(objection.as_bytes());
        post::send(session, rank, post::FROM_RANK_0, head)?;
    }
    Err(Failure::argument(objection))
}
