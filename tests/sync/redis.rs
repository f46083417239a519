//! A real Redis that a test starts for itself, gone with its files when it is dropped.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub const PASSWORD: &str = "open:sesame@home";

pub struct Redis {
    folder: PathBuf,
    server: Child,
    pub url: String,
}

impl Redis {
    pub fn on_its_unix_socket() -> Redis {
        let folder = folder();
        let socket = folder.join("redis.sock");
        let mut command = command(&folder);
        command.args(["--port", "0", "--unixsocket"]).arg(&socket);
        let url = format!("unix://{}", socket.display());
        Redis::started(command, folder, url, || UnixStream::connect(&socket).is_ok())
    }

    /// On loopback, with a password, and database 3 in the URL.
    pub fn on_loopback() -> Redis {
        let folder = folder();
        // Nobody else takes a port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = command(&folder);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--requirepass", PASSWORD]);
        let url = format!("redis://:open:sesame%40home@127.0.0.1:{port}/3");
        Redis::started(command, folder, url, || TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    fn started(mut command: Command, folder: PathBuf, url: String, listens: impl Fn() -> bool) -> Redis {
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("redis-server can be run");
        let mut redis = Redis { folder, server, url };
        let begin = Instant::now();
        while !listens() {
            assert!(redis.server.try_wait().unwrap().is_none(), "{command:?} has ended");
            assert!(begin.elapsed() < Duration::from_secs(60), "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        redis
    }

    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: a plain system call; the child is not reaped yet, so the number is its own.
        unsafe { libc::kill(self.server.id() as i32, signal) };
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Where a socket's path is short enough.
fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("parmap-redis-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

fn command(folder: &PathBuf) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
    command
}
