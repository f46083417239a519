//! How a call fails: a status, and a sentence without the name of the call.

use crate::abi::status::*;

#[derive(Debug)]
pub struct Failure {
    pub status: par_status,
    pub sentence: String,
}

impl Failure {
    fn new(status: par_status, sentence: impl Into<String>) -> Failure {
        Failure { status, sentence: sentence.into() }
    }

    pub fn argument(sentence: impl Into<String>) -> Failure {
        Failure::new(PAR_EINVAL, sentence)
    }

    pub fn timed_out(sentence: impl Into<String>) -> Failure {
        Failure::new(PAR_ETIMEDOUT, sentence)
    }

    pub fn canceled(sentence: impl Into<String>) -> Failure {
        Failure::new(PAR_ECANCELED, sentence)
    }

    pub fn no_memory(sentence: impl Into<String>) -> Failure {
        Failure::new(PAR_ENOMEM, sentence)
    }

    /// The meeting point is unreachable, gone, or not in a state to serve.
    pub fn gone(sentence: impl Into<String>) -> Failure {
        Failure::new(PAR_ESYNC, sentence)
    }

    /// The server's own words. What it says about a question is the caller's fault, what it says about itself is not.
    pub fn refused(text: &str) -> Failure {
        let status = match text.split(' ').next() {
            Some("ERR" | "WRONGTYPE") => PAR_EINVAL,
            Some("OOM") => PAR_ENOMEM,
            _ => PAR_ESYNC,
        };
        Failure::new(status, format!("the server refuses: {text}"))
    }
}
