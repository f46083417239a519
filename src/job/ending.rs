//! How an item ended, in words.

use crate::abi::status::{PAR_ITEM_EXITED, PAR_ITEM_FAILED, PAR_ITEM_SIGNALED, PAR_ITEM_TIMED_OUT, par_item};
use std::fmt::{Display, Formatter, Result};

/// "item 3" is to stand before it.
pub struct Ending(pub par_item);

impl Display for Ending {
    fn fmt(&self, to: &mut Formatter) -> Result {
        match self.0.state {
            PAR_ITEM_FAILED => write!(to, "failed with code {}", self.0.code),
            PAR_ITEM_EXITED => write!(to, "ended its worker {}", Means(self.0)),
            PAR_ITEM_TIMED_OUT => write!(to, "ran for too long and was ended"),
            _ => write!(to, "was ended {}", Means(self.0)),
        }
    }
}

/// "ended" is to stand before it.
pub struct Means(pub par_item);

impl Display for Means {
    fn fmt(&self, to: &mut Formatter) -> Result {
        match (self.0.state, self.0.code) {
            (PAR_ITEM_SIGNALED, signal) => match SIGNALS.iter().find(|(number, _)| *number == signal) {
                Some((_, name)) => write!(to, "by signal {signal} ({name})"),
                None => write!(to, "by signal {signal}"),
            },
            (_, code) => write!(to, "with exit code {code}"),
        }
    }
}

const SIGNALS: [(i32, &str); 13] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL, as the system does when memory runs out"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
];
