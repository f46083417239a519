//! From a program to its exit status and output, within a time limit.

use std::io::Read;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Only a hang takes this long.
const LIMIT: Duration = Duration::from_secs(120);

/// How a program ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Finished {
    /// The output of a program that had to succeed.
    pub fn succeeded(self) -> String {
        assert!(self.status.success(), "{}\n{}{}", self.status, self.out, self.err);
        self.out
    }
}

/// Runs a program to its end. One that hangs is killed with all its children, and fails the test.
pub fn run(command: &mut Command) -> Finished {
    start(command).finish()
}

/// Starts a program in a process group of its own, without the host's settings for the library.
pub fn start(command: &mut Command) -> Running {
    for name in ["LD_LIBRARY_PATH", "PAR_NUM_WORKERS", "PAR_SYNC_URL", "PAR_MPI_LIBRARY", "PAR_JOBLOG"] {
        if !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let out = Gathered::from(child.stdout.take().expect("stdout is a pipe"));
    let err = Gathered::from(child.stderr.take().expect("stderr is a pipe"));
    Running { shown: format!("{command:?}"), child, out, err }
}

/// A program that runs.
pub struct Running {
    shown: String,
    child: Child,
    out: Gathered,
    err: Gathered,
}

impl Running {
    pub fn signal(&self, signal: i32) {
        // SAFETY: a plain system call; the child is not reaped yet, so the number is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Waits until the program has written `text` to its standard error.
    pub fn wait_for_error_text(&mut self, text: &str) {
        let start = Instant::now();
        while !self.err.so_far().contains(text) {
            assert!(
                !self.has_ended() && start.elapsed() < LIMIT,
                "{}: no {text:?} in {:?}",
                self.shown,
                self.err.so_far()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn error_so_far(&self) -> String {
        self.err.so_far()
    }

    pub fn finish(mut self) -> Finished {
        let start = Instant::now();
        while !self.has_ended() && start.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(2));
        }
        let ended = self.has_ended();
        // What is left of its group would hold the pipes open. The group's number is still taken: its
        // leader is reaped below.
        // SAFETY: a plain system call on a group of our own making.
        unsafe { libc::kill(-(self.child.id() as i32), libc::SIGKILL) };
        let status = self.child.wait().expect("a child can be waited for");
        let (out, err) = (self.out.all(), self.err.all());
        assert!(ended, "{} still ran after {LIMIT:?}\n{out}{err}", self.shown);
        Finished { status, out, err }
    }

    /// Whether the program has ended; it stays a zombie, so that its number stays its own.
    fn has_ended(&mut self) -> bool {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
        // SAFETY: `info` is large enough, and zeroed: WNOHANG leaves it so while the child runs.
        unsafe {
            let status = libc::waitid(libc::P_PID, self.child.id(), info.as_mut_ptr(), flags);
            assert_eq!(status, 0, "{}: waitid failed", self.shown);
            info.assume_init().si_pid() != 0
        }
    }
}

/// A pipe's contents, read by a thread so that neither side ever waits for the other.
struct Gathered {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Gathered {
    fn from(mut pipe: impl Read + Send + 'static) -> Gathered {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(len @ 1..) = pipe.read(&mut part) {
                shared.lock().expect("readers do not panic").extend_from_slice(&part[..len]);
            }
        });
        Gathered { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("readers do not panic")).into_owned()
    }

    fn all(self) -> String {
        self.reader.join().expect("readers do not panic");
        String::from_utf8_lossy(&self.text.lock().expect("readers do not panic")).into_owned()
    }
}
