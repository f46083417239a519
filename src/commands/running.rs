//! One command that runs: its output as it comes, and its end, by itself or by us.

use super::capture::{Capture, Captured, PART};
use super::child::{Child, Ended};
use super::feed::Feed;
use super::group::Group;
use super::results::{self, Attempt};
use super::spawn::Launch;
use crate::abi::status::*;
use std::io::Error;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a group that is asked to end has, before it is killed.
pub const GRACE: Duration = Duration::from_secs(2);

/// How often to look whether a group without its leader has gone.
const GROUP_TICK: Duration = Duration::from_millis(10);

/// What `Running::files` lists.
pub const FILES: usize = 4;

pub struct Running<'a> {
    pub index: usize,
    pub attempt: u32,
    child: Child,
    group: Group,
    /// What the child looks at until its program is loaded: kept until it has ended.
    pub launch: Launch,
    began: Instant,
    deadline: Option<Instant>,
    /// Standard output and standard error.
    outputs: [Option<Capture>; 2],
    feed: Option<Feed<'a>>,
    ending: Ending,
    timed_out: bool,
    /// Why its output cannot be had whole: an errno.
    trouble: Option<i32>,
    ended: Option<(Ended, Duration)>,
}

/// How far we have come with ending it.
#[derive(Clone, Copy)]
enum Ending {
    ByItself,
    Asked { kill_at: Instant },
    Killed,
}

/// Whether there is more to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    On,
    Ended,
}

impl<'a> Running<'a> {
    pub fn new(
        index: usize,
        attempt: u32,
        (child, launch): (Child, Launch),
        began: Instant,
        deadline: Option<Instant>,
        outputs: [Option<Capture>; 2],
        feed: Option<Feed<'a>>,
    ) -> Running<'a> {
        let ending = Ending::ByItself;
        Running {
            index,
            attempt,
            group: Group::new(child.pid()),
            child,
            launch,
            began,
            deadline,
            outputs,
            feed,
            ending,
            timed_out: false,
            trouble: None,
            ended: None,
        }
    }

    /// What to wait for, each with the events that count; -1 for none.
    pub fn files(&self) -> [(RawFd, i16); FILES] {
        let output = |output: &Option<Capture>| {
            output.as_ref().and_then(Capture::source).map_or((-1, 0), |pipe| (pipe.as_raw_fd(), libc::POLLIN))
        };
        let child = if self.ended.is_none() { self.child.pidfd().as_raw_fd() } else { -1 };
        let input = self.feed.as_ref().map_or((-1, 0), |feed| (feed.pipe().as_raw_fd(), libc::POLLOUT));
        [output(&self.outputs[0]), output(&self.outputs[1]), input, (child, libc::POLLIN)]
    }

    /// Does what is to be done now that so many of its files are ready.
    pub fn attend(&mut self, ready: [bool; FILES], part: &mut [u8; PART], folder: &Path) -> Goes {
        for number in [0, 1] {
            if ready[number] {
                let read = self.outputs[number].as_mut().map_or(Ok(()), |output| output.read(part, folder));
                self.note(number, read);
            }
        }
        if ready[2] && !self.feed.as_mut().is_some_and(Feed::write) {
            self.feed = None;
        }
        if ready[3] { self.leader_ended() } else { Goes::On }
    }

    /// When to look at it though nothing is ready.
    pub fn next_look(&self) -> Option<Instant> {
        match self.ending {
            Ending::ByItself => self.deadline,
            Ending::Asked { kill_at } if self.ended.is_some() => Some(kill_at.min(Instant::now() + GROUP_TICK)),
            Ending::Asked { kill_at } => Some(kill_at),
            Ending::Killed => None,
        }
    }

    /// Does what the time asks for.
    pub fn look(&mut self, now: Instant) -> Goes {
        let others_are_gone = matches!(self.ending, Ending::Asked { .. }) && self.ended.is_some() && !self.others_run();
        match self.ending {
            Ending::ByItself if self.deadline.is_some_and(|deadline| now >= deadline) => {
                self.time_out(now);
                Goes::On
            }
            Ending::Asked { .. } if others_are_gone => Goes::Ended,
            Ending::Asked { kill_at } if now >= kill_at => {
                self.child.signal_group(libc::SIGKILL);
                self.ending = Ending::Killed;
                if self.ended.is_some() { Goes::Ended } else { Goes::On }
            }
            _ => Goes::On,
        }
    }

    /// Whether it has not ended before.
    pub fn time_out(&mut self, now: Instant) -> bool {
        // Whoever was done in time is, though we come late to see it: `poll` may have taken long.
        if self.child.has_ended() {
            return false;
        }
        self.timed_out |= matches!(self.ending, Ending::ByItself);
        self.ask_to_end(now);
        true
    }

    /// Asks the whole group to end; a second time changes nothing.
    pub fn ask_to_end(&mut self, now: Instant) {
        if matches!(self.ending, Ending::ByItself) {
            self.child.signal_group(libc::SIGTERM);
            // Who is stopped would not hear of it.
            self.child.signal_group(libc::SIGCONT);
            self.ending = Ending::Asked { kill_at: now + GRACE };
        }
    }

    /// The command itself has ended. Others of its group that were asked to end have their time for it.
    fn leader_ended(&mut self) -> Goes {
        if matches!(self.ending, Ending::Asked { .. }) && self.child.knows_groups() {
            self.reap();
            if self.others_run() {
                return Goes::On;
            }
        }
        Goes::Ended
    }

    /// Whether anybody else of its group is there to be waited for.
    fn others_run(&mut self) -> bool {
        self.child.has_group() && self.group.runs().unwrap_or(true)
    }

    fn reap(&mut self) -> (Ended, Duration) {
        *self.ended.get_or_insert_with(|| (self.child.reap(), self.began.elapsed()))
    }

    /// Gathers what became of it. It has ended.
    pub fn finish(&mut self, part: &mut [u8; PART], folder: &Path) -> Attempt {
        // Before the reaping, after which a kernel that knows no groups by pidfd could give the number to another.
        if self.ended.is_none() || self.child.knows_groups() {
            self.child.signal_group(libc::SIGKILL);
        }
        for number in [0, 1] {
            let read = self.outputs[number].as_mut().map_or(Ok(()), |output| output.read_rest(part, folder));
            self.note(number, read);
        }
        let (ended, wall) = self.reap();
        let [out, err] = [0, 1].map(|number| self.captured(number));
        let item = match self.trouble {
            Some(errno) => par_item { state: PAR_ITEM_FAILED, code: errno },
            None if self.timed_out => par_item { state: PAR_ITEM_TIMED_OUT, code: 0 },
            None => results::item(&ended),
        };
        Attempt { item, number: self.attempt, wall, cpu: ended.cpu, max_rss: ended.max_rss, out, err }
    }

    fn captured(&mut self, number: usize) -> Option<Captured> {
        let captured = self.outputs[number].take()?.finish();
        captured.map_err(|error| self.trouble = Some(errno(&error))).ok()
    }

    /// A command whose output cannot be kept any more is asked to end: what it would go on to say is lost.
    fn note(&mut self, number: usize, read: Result<(), Error>) {
        let Err(error) = read else { return };
        self.trouble.get_or_insert(errno(&error));
        if let Some(output) = &mut self.outputs[number] {
            output.give_up();
        }
        self.ask_to_end(Instant::now());
    }
}

/// Nothing that was started outlives the call, whatever happens to it.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.child.signal_group(libc::SIGKILL);
            self.child.reap();
        }
    }
}

fn errno(error: &Error) -> i32 {
    // Every error here is the system's, but for a write that takes nothing.
    error.raw_os_error().unwrap_or(libc::EIO)
}
