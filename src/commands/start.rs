//! From a command to a running program: its pipes, its environment, its place.

use super::capture::Capture;
use super::command::Command;
use super::environment::Environment;
use super::feed::Feed;
use super::lookup::Lookup;
use super::pipe;
use super::running::Running;
use super::spawn::{Failure, Launch, Program, Spawner, Step};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// What all starts of a call share.
pub struct Starter {
    spawner: Spawner,
    lookup: Lookup,
    environment: Environment,
    /// For commands without input.
    nothing: OwnedFd,
    inherit: bool,
    item_timeout: Option<Duration>,
}

impl Starter {
    pub fn new(url: Option<&OsStr>, inherit: bool, item_timeout: Option<Duration>) -> Result<Starter> {
        Ok(Starter {
            spawner: Spawner::new(),
            lookup: Lookup::new(std::env::var_os("PATH")),
            environment: Environment::new(url),
            nothing: pipe::above_standard(File::open("/dev/null")?.into())?,
            inherit,
            item_timeout,
        })
    }

    /// Starts command `index` for the `attempt`th time.
    pub fn start<'a>(
        &mut self,
        index: usize,
        attempt: u32,
        command: &Command<'a>,
    ) -> std::result::Result<Running<'a>, Failure> {
        let began = Instant::now();
        let (input, feed) = match command.input {
            Some(bytes) => Feed::open(bytes).map(|(pipe, feed)| (Some(pipe), feed)).map_err(no_resources)?,
            None => (None, None),
        };
        let (out, err) = (self.output()?, self.output()?);
        let (child, launch) = self.spawner.spawn(Program {
            paths: self.lookup.paths(command.program()),
            argv: command.argv,
            // SAFETY: the command's environment is the caller's, as the header asks.
            env: unsafe { self.environment.of(command.env) },
            dir: command.dir,
            files: [
                Some(input.as_ref().unwrap_or(&self.nothing).as_fd()),
                out.as_ref().and_then(Capture::target),
                err.as_ref().and_then(Capture::target),
            ],
        })?;
        let deadline = self.item_timeout.and_then(|time| began.checked_add(time));
        Ok(Running::new(index, attempt, (child, launch), began, deadline, [out, err], feed))
    }

    /// Looks at a command that has ended: where was its program found, or why was it not loaded?
    pub fn learn(&mut self, launch: &Launch) -> Option<Failure> {
        let failure = launch.failure();
        if failure.is_none() {
            let (paths, index) = launch.found();
            self.lookup.found(paths, index);
        }
        failure
    }

    /// Where a command's output is kept; None where it goes to the host's.
    fn output(&self) -> std::result::Result<Option<Capture>, Failure> {
        if self.inherit { Ok(None) } else { Capture::open().map(Some).map_err(no_resources) }
    }
}

fn no_resources(error: Error) -> Failure {
    Failure { step: Step::Resources, errno: error.raw_os_error().unwrap_or(libc::EIO) }
}
