//! Why a call did not do what it was asked for: a status, and a sentence without the name of the call.

use crate::abi::status::{PAR_ECANCELED, PAR_EINVAL, PAR_EMPI, PAR_ENOMEM, PAR_ENOTSUP, par_status};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: par_status,
    pub sentence: String,
}

impl Failure {
    pub fn mpi(sentence: impl Into<String>) -> Failure {
        Failure { status: PAR_EMPI, sentence: sentence.into() }
    }

    pub fn argument(sentence: impl Into<String>) -> Failure {
        Failure { status: PAR_EINVAL, sentence: sentence.into() }
    }

    pub fn memory(what: &str, len: usize) -> Failure {
        Failure { status: PAR_ENOMEM, sentence: format!("no memory for {what} of {len} bytes") }
    }

    pub fn canceled(sentence: &str) -> Failure {
        Failure { status: PAR_ECANCELED, sentence: sentence.into() }
    }

    pub fn not_supported(sentence: &str) -> Failure {
        Failure { status: PAR_ENOTSUP, sentence: sentence.into() }
    }
}
