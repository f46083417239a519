//! The file that `PAR_JOBLOG` names: a line for each command that has ended, in the format of GNU parallel's `--joblog`, so
//! that its tools read it; and what an earlier run wrote there, so that a command that is done is not run again.

use super::command::Command;
use super::quote;
use super::results::Attempt;
use crate::abi::status::*;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HEADER: &str = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
const COLUMNS: usize = 9;

pub struct JobLog {
    file: File,
    /// The indices of commands that an earlier run has done.
    done: HashSet<usize>,
}

/// Bytes that went into a command and came out of it.
pub struct Traffic {
    pub sent: usize,
    pub received: usize,
}

impl JobLog {
    /// Opens the log, or begins one, and looks up what is done. ErrorKind::InvalidData: the file is something else.
    pub fn open(path: &Path, commands: &[Command]) -> Result<JobLog> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        // A device or a pipe remembers nothing, and may be read without end.
        if file.metadata()?.is_file() {
            file.read_to_end(&mut text)?;
        }
        if text.is_empty() {
            file.write_all(HEADER.as_bytes())?;
        } else if !text.starts_with(HEADER.as_bytes()) {
            return Err(ErrorKind::InvalidData.into());
        } else if !text.ends_with(b"\n") {
            // The host died amid a line.
            file.write_all(b"\n")?;
        }
        Ok(JobLog { file, done: done(&text, commands) })
    }

    pub fn has(&self, index: usize) -> bool {
        self.done.contains(&index)
    }

    /// One write a line: hosts that share a log do not mix theirs.
    pub fn add(&mut self, index: usize, command: &Command, attempt: &Attempt, traffic: Traffic) -> Result<()> {
        let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let began = ended.saturating_sub(attempt.wall).as_secs_f64();
        let (exit, signal) = exit_and_signal(attempt.item);
        let (sequence, runtime) = (index + 1, attempt.wall.as_secs_f64());
        let Traffic { sent, received } = traffic;
        let mut line =
            format!("{sequence}\t:\t{began:.3}\t{runtime:10.3}\t{sent}\t{received}\t{exit}\t{signal}\t").into_bytes();
        line.extend(quote::command_line(command.arguments()));
        line.push(b'\n');
        loop {
            return match self.file.write(&line) {
                Ok(len) if len == line.len() => Ok(()),
                Ok(_) => Err(Error::from_raw_os_error(libc::ENOSPC)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }
}

/// The last line about a command counts.
fn done(text: &[u8], commands: &[Command]) -> HashSet<usize> {
    let mut done = HashSet::new();
    for line in text.split(|&byte| byte == b'\n').skip(1) {
        let columns: Vec<&[u8]> = line.splitn(COLUMNS, |&byte| byte == b'\t').collect();
        let [sequence, _, _, _, _, _, exit, signal, shown] = columns[..] else { continue };
        let Some(index) = number(sequence).and_then(|sequence| sequence.checked_sub(1)) else { continue };
        let same = commands.get(index).is_some_and(|command| quote::command_line(command.arguments()) == shown);
        if same && exit == b"0" && signal == b"0" {
            done.insert(index);
        } else {
            done.remove(&index);
        }
    }
    done
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// As a shell and GNU parallel would have it.
fn exit_and_signal(item: par_item) -> (i32, i32) {
    match item.state {
        PAR_ITEM_SIGNALED => (0, item.code),
        PAR_ITEM_SPAWN_FAILED if item.code == libc::ENOENT => (127, 0),
        PAR_ITEM_SPAWN_FAILED => (126, 0),
        PAR_ITEM_OK | PAR_ITEM_EXITED => (item.code, 0),
        _ => (-1, 0),
    }
}
