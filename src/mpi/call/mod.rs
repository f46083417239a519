//! The executor on ranks: one call, made on every rank.
//!
//! Rank 0 leads: it waits until all ranks have come, compares what each was asked to do (`assemble`, `signature`), and hands
//! out ranges of units to whoever asks (`serve`, `hear`, `service`), of a size that `share` knows. The others attend
//! (`attend`). On every rank the calling thread speaks with the others (`post`, `wire`) while the workers (`crew`), which are
//! threads of the executor on threads, take units from a `desk`; what comes from rank 0 is a `chunk`. (A rank that attends
//! with one worker needs no thread for it: there is nobody to speak with while it works.) In the end rank 0 tells all what
//! came of it (`deliver`).
//!
//! What it costs: a hand-out is a request and an answer, some 10 us of rank 0's time without the data. `share` bounds how
//! often a rank asks, so rank 0 alone serves a thousand ranks; it is the limit when inputs and results, which all pass
//! through it, need more than its network gives.

mod assemble;
mod attend;
mod chunk;
mod crew;
mod deliver;
mod desk;
mod function;
mod hear;
mod post;
mod serve;
mod service;
mod share;
mod signature;
mod watch;
mod wire;

use super::failure::Failure;
use super::launcher;
use super::presence::CALL;
use super::session::{self, Mapping};
use crate::abi::status::PAR_EINVAL;
use crate::job::{Job, Outcome};
use crate::options::Options;
use crate::threads::{self, Solo};
use signature::Signature;

/// What all parts of a call look at.
struct Call<'a> {
    name: &'a str,
    job: &'a Job,
    options: &'a Options<'a>,
}

impl Call<'_> {
    fn signature(&self) -> Signature {
        Signature::of(self.name, self.job, self.options.grain, self.options.keep_going)
    }
}

/// Runs the job on all ranks, which make the same call. Err: it did not run, or MPI failed on the way.
pub fn run(name: &str, mut job: Job, options: &Options) -> Result<Outcome, Failure> {
    let mut access = session::enter()?;
    let _mapping = Mapping::begin();
    let session = access.session();
    session.begin(CALL)?;
    if session.size == 1 {
        return Ok(threads::run(&job, options, Solo::default()));
    }
    let ran = match session.rank {
        0 => serve::lead(name, &mut job, options, session),
        _ => attend::attend(&Call { name, job: &job, options }, session),
    };
    // All refuse a call together. Any other failure is this rank's own, and the others go on without it.
    if let Err(failure) = &ran
        && failure.status != PAR_EINVAL
    {
        session.break_off(&failure.sentence);
    }
    ran
}

/// How many workers a rank has when nobody says: its `cpus`, or its part of them where ranks share a whole machine. (Fewer
/// than the machine has: the launcher has bound each rank to its own.)
pub fn workers(cpus: usize) -> usize {
    // SAFETY: it takes a number and answers one.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    let shared = usize::try_from(online).is_ok_and(|online| cpus >= online);
    if shared { cpus.div_ceil(launcher::ranks_on_this_machine()) } else { cpus }
}

/// Has every rank know that this one cannot make the call, and why; each rank refuses it then.
pub fn decline(name: &str, sentence: &str) -> Result<(), Failure> {
    let mut access = session::enter()?;
    let _mapping = Mapping::begin();
    let session = access.session();
    session.begin(CALL)?;
    let signature = Signature::refusing(name, sentence);
    match (session.size, session.rank) {
        (1, _) => Ok(()),
        (_, 0) => assemble::decline(session, &signature),
        _ => attend::decline(session, &signature),
    }
}
