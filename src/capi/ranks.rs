//! Calls with executor `PAR_MPI`: what every rank makes together, refusals among it.

use super::arguments::Input;
use super::options::Refusal;
use crate::abi::options::{PAR_MPI, par_options};
use crate::environment;
use crate::job::{Job, Outcome};
use crate::mpi::{Failure, call, session};
use crate::options::Options;

impl From<Failure> for Box<Refusal> {
    fn from(failure: Failure) -> Box<Refusal> {
        Box::new(Refusal { status: failure.status, sentence: failure.sentence })
    }
}

/// Whose items count: rank 0's.
#[cold]
pub fn input() -> Input {
    let rank = match session::known() {
        Some((rank, _)) => rank,
        // A failure is told when the call is made.
        None => session::enter().map_or(0, |mut access| access.session().rank),
    };
    if rank > 0 { Input::Elsewhere } else { Input::Here }
}

/// How many workers a rank has by default, where a process alone would have so many.
#[cold]
pub fn workers(alone: usize) -> Result<usize, Box<Refusal>> {
    Ok(if environment::workers()?.is_some() { alone } else { call::workers(alone) })
}

#[cold]
pub fn run(name: &str, job: Job, options: &Options) -> Result<Outcome, Box<Refusal>> {
    Ok(call::run(name, job, options)?)
}

/// A refusal on one rank is one on all of them.
#[cold]
pub fn refused(name: &str, options: &par_options, refusal: Box<Refusal>) -> Box<Refusal> {
    if options.executor != PAR_MPI {
        return refusal;
    }
    match call::decline(name, &refusal.sentence) {
        Ok(()) => refusal,
        Err(failure) => failure.into(),
    }
}
