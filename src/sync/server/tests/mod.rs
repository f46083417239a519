//! The server as its clients see it; what they are is for the files beside this one to say.

mod hostile;
mod life;
mod waiting;

use super::Server;
use super::world::Limits;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// Little of everything.
const TIGHT: Limits = Limits { clients: 50, data: 8 * MIB, buffers: 16 * MIB, unread_messages: MIB, names: 100 };

fn tight() -> Server {
    Server::limited(TIGHT).unwrap()
}

fn socket_of(server: &Server) -> PathBuf {
    server.url().strip_prefix("unix://").expect("a Unix socket").into()
}

struct Peer(UnixStream);

impl Peer {
    fn of(server: &Server) -> Peer {
        let stream = UnixStream::connect(socket_of(server)).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket has timeouts");
        Peer(stream)
    }

    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the server takes it");
    }

    /// Says as much of it as the server takes.
    fn insist(&mut self, bytes: &[u8]) {
        self.0.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = self.0.write_all(bytes);
    }

    /// What comes next must be this.
    fn hear(&mut self, expected: &str) {
        let mut got = vec![0; expected.len()];
        self.0.read_exact(&mut got).unwrap_or_else(|error| panic!("{expected:?}: {error}"));
        assert_eq!(String::from_utf8_lossy(&got), expected);
    }

    fn ask(&mut self, line: &str, expected: &str) {
        self.say(format!("{line}\r\n"));
        self.hear(expected);
    }

    /// All that still comes, until the server closes.
    fn rest(&mut self) -> String {
        let mut got = Vec::new();
        match self.0.read_to_end(&mut got) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8_lossy(&got).into_owned(),
        }
    }
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// What the server says it holds, in bytes.
fn used(peer: &mut Peer) -> usize {
    peer.say(b"INFO\r\n");
    let mut text = String::new();
    while !text.contains("db0:keys=") || !text.ends_with("\r\n\r\n") {
        let mut part = [0; 512];
        let len = peer.0.read(&mut part).unwrap();
        text.push_str(std::str::from_utf8(&part[..len]).unwrap());
    }
    let line = text.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    line.parse().unwrap()
}
