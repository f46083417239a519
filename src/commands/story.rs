//! What went wrong, as a person would say it.

use super::Batch;
use super::command::Command;
use super::results::Attempt;
use super::spawn::Step;
use crate::abi::status::*;
use std::io::Error;
use std::path::Path;

/// How command `index` failed; `step` where it could not be started.
pub fn failure(
    index: usize,
    command: &Command,
    attempt: &Attempt,
    step: Option<Step>,
    batch: &Batch,
    folder: &Path,
) -> String {
    let code = attempt.item.code;
    let what = match (attempt.item.state, step) {
        (PAR_ITEM_EXITED, _) => format!("ended with exit code {code}"),
        (PAR_ITEM_SIGNALED, _) => format!("was ended by signal {code}"),
        (PAR_ITEM_TIMED_OUT, _) => match batch.item_timeout {
            Some(time) if attempt.wall >= time => format!("ran beyond item_timeout_ms of {}", time.as_millis()),
            _ => "still ran at the deadline of the call".into(),
        },
        (PAR_ITEM_SPAWN_FAILED, Some(Step::Dir)) => {
            let dir = command.dir.unwrap_or_default().to_string_lossy();
            format!("could not be started in dir '{dir}': {}", error(code))
        }
        (PAR_ITEM_SPAWN_FAILED, Some(Step::Resources)) => format!("could not be started: {}", error(code)),
        (PAR_ITEM_SPAWN_FAILED, _) => {
            let program = command.program().to_string_lossy();
            let looked_up = if code == libc::ENOENT && !program.contains('/') { ", in no folder of PATH" } else { "" };
            format!("could not be started: '{program}': {}{looked_up}", error(code))
        }
        _ if code == libc::ECHILD => "has ended, but the host reaped it or ignores SIGCHLD, so nobody knows how".into(),
        _ => {
            let way_out = match code {
                libc::EMFILE | libc::ENFILE | libc::ENOMEM => "",
                _ => ": set TMPDIR to a folder with room",
            };
            format!("was ended because its output could not be kept in {}: {}{way_out}", folder.display(), error(code))
        }
    };
    format!("command {index} {what}")
}

pub fn refused(most: usize, errno: i32) -> String {
    format!("the system refused to start more than {most} at once for a while: {}", error(errno))
}

pub fn log_trouble(trouble: &Error) -> String {
    format!("PAR_JOBLOG is not complete: {trouble}")
}

fn error(errno: i32) -> Error {
    Error::from_raw_os_error(errno)
}
