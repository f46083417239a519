//! Questions out, answers in. Who has not been answered within its time plus some patience takes the server for gone.

use super::Failure;
use super::answer::Answer;
use super::handle::Watch;
use super::malloced::Malloced;
use super::url::{Address, Place};
use crate::sync::socket;
use std::io::{self, IoSlice, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A blocked system call returns this often to look at the clock.
const LOOK_UP: Duration = Duration::from_secs(1);
/// Redis looks ten times a second whose wait is over; an answer is late only after that.
const LATE: Duration = Duration::from_secs(1);
/// How long an answer is looked for before the thread sleeps, if the last one came as soon: to be woken takes longer.
const LOOKED_FOR: Duration = Duration::from_micros(100);
/// Longer values are sent from where they lie.
const COPIED: usize = 16 << 10;
/// Room for what comes at once; memory is taken as it comes.
const READ: usize = 128 << 10;
/// The longest answer that is no value: an error's text.
const LONGEST_LINE: usize = 64 << 10;
const MOST_ITEMS: i64 = 1024;
const DEEPEST: usize = 4;

pub struct Connection {
    stream: Stream,
    pub shown: String,
    patience: Duration,
    /// Questions that are not sent yet.
    out: Vec<u8>,
    /// What has come and is not read yet lies in `unread`.
    input: Vec<u8>,
    unread: Range<usize>,
    /// What the server may take on purpose for what it is asked now.
    allowed: Duration,
    /// Since when nothing has come or gone; None before the first look at the clock.
    still_since: Option<Instant>,
    watch: Option<Watch>,
    /// How long the last answer took.
    pause: Duration,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }

    fn look_up_every(&self, time: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))
            }
        }
    }
}

impl Connection {
    /// `patience`: how long the server may take where nothing is waited for.
    pub fn open(address: &Address, patience: Duration) -> Result<Connection, Failure> {
        let shown = address.shown();
        let failed = |error: io::Error| Failure::gone(format!("{shown} cannot be reached: {error}"));
        let stream = match &address.place {
            Place::Tcp { host, port } => {
                let stream = connect_tcp(host, *port, patience).map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                Stream::Tcp(stream)
            }
            Place::Unix(path) => Stream::Unix(socket::connect_unix(path, patience).map_err(failed)?),
        };
        stream.look_up_every(LOOK_UP).map_err(failed)?;
        Ok(Connection {
            stream,
            shown,
            patience,
            out: Vec::new(),
            input: vec![0; READ],
            unread: 0..0,
            allowed: Duration::ZERO,
            still_since: None,
            watch: None,
            pause: LOOKED_FOR,
        })
    }

    /// From now on `watch` is asked while the server is silent beyond its time.
    pub fn set_watch(&mut self, watch: Option<Watch>) -> io::Result<()> {
        self.watch = watch;
        self.stream.look_up_every(watch.map_or(LOOK_UP, |watch| watch.every.min(LOOK_UP)))
    }

    /// Adds a question to those that go out together.
    pub fn add(&mut self, words: &[&[u8]]) -> Result<(), Failure> {
        self.begin(words.len());
        words.iter().try_for_each(|word| self.word(word))
    }

    /// A question of which `words` follow, for those too many to be gathered.
    pub fn begin(&mut self, words: usize) {
        self.header(b'*', words);
    }

    pub fn word(&mut self, word: &[u8]) -> Result<(), Failure> {
        self.header(b'$', word.len());
        if word.len() > COPIED {
            return self.send(&[word, b"\r\n"]);
        }
        self.out.extend_from_slice(word);
        self.out.extend_from_slice(b"\r\n");
        if self.out.len() > COPIED { self.send(&[]) } else { Ok(()) }
    }

    fn header(&mut self, kind: u8, number: usize) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.out, "{}{number}\r\n", char::from(kind));
    }

    /// The answer to the oldest question without one. The server may take `allowed` for it.
    pub fn answer(&mut self, allowed: Duration) -> Result<Answer, Failure> {
        self.allowed = allowed;
        self.still_since = None;
        if !self.out.is_empty()
            && let Err(failure) = self.send(&[])
        {
            // A server that hangs up may have said why.
            return match self.read_answer(DEEPEST) {
                Ok(Answer::Error(text)) => Err(Failure::gone(format!("{} hangs up: {text}", self.shown))),
                _ => Err(failure),
            };
        }
        self.read_answer(DEEPEST)
    }

    /// Sends the questions, and `more` behind them.
    fn send(&mut self, more: &[&[u8]]) -> Result<(), Failure> {
        let out = std::mem::take(&mut self.out);
        let mut parts: Vec<IoSlice> = [&out[..]].iter().chain(more).map(|part| IoSlice::new(part)).collect();
        let mut rest = &mut parts[..];
        let mut sent = Ok(());
        while sent.is_ok() && rest.iter().any(|part| !part.is_empty()) {
            match socket::send_parts_once(self.stream.fd(), rest) {
                Ok(len) => {
                    IoSlice::advance_slices(&mut rest, len);
                    self.still_since = None;
                }
                Err(error) => sent = self.look_up(error),
            }
        }
        self.out = out;
        self.out.clear();
        sent
    }

    fn read_answer(&mut self, deepest: usize) -> Result<Answer, Failure> {
        let line = self.line()?;
        let (kind, text) = line.split_at_checked(1).unwrap_or((" ", &line));
        Ok(match kind {
            "+" => Answer::Done,
            "-" => Answer::Error(text.into()),
            ":" => Answer::Integer(self.number(text)?),
            "$" => match self.number(text)? {
                ..0 => Answer::Bulk(None),
                len => Answer::Bulk(Some(self.bulk(len)?)),
            },
            "*" => match self.number(text)? {
                ..0 => Answer::Array(None),
                len @ ..=MOST_ITEMS if deepest > 0 => {
                    let items = (0..len).map(|_| self.read_answer(deepest - 1));
                    Answer::Array(Some(items.collect::<Result<_, _>>()?))
                }
                _ => return Err(self.no_redis(&line)),
            },
            _ => return Err(self.no_redis(&line)),
        })
    }

    fn number(&self, text: &str) -> Result<i64, Failure> {
        text.parse().map_err(|_| self.no_redis(text))
    }

    fn no_redis(&self, line: &str) -> Failure {
        let begin: String = line.chars().take(40).collect();
        Failure::gone(format!("{} answers {begin:?}, which is not Redis's protocol: check the URL", self.shown))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut searched = 0;
        loop {
            let unread = &self.input[self.unread.clone()];
            if let Some(len) = unread[searched..].iter().position(|&byte| byte == b'\n') {
                let line = &unread[..searched + len];
                let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
                self.unread.start += searched + len + 1;
                return Ok(line);
            }
            searched = unread.len();
            if searched > LONGEST_LINE {
                return Err(self.no_redis("a line without end"));
            }
            self.read_more()?;
        }
    }

    /// `len` bytes and the end of their line.
    fn bulk(&mut self, len: i64) -> Result<Malloced, Failure> {
        let bytes = usize::try_from(len).ok().and_then(Malloced::zeroed);
        let mut bytes = bytes.ok_or_else(|| Failure::no_memory(format!("no memory for a value of {len} bytes")))?;
        let rest = bytes.bytes_mut();
        let ready = rest.len().min(self.unread.len());
        rest[..ready].copy_from_slice(&self.input[self.unread.start..self.unread.start + ready]);
        self.unread.start += ready;
        let mut rest = &mut rest[ready..];
        while !rest.is_empty() {
            let len = self.receive(rest)?;
            rest = &mut rest[len..];
        }
        if !self.line()?.is_empty() {
            return Err(self.no_redis("a value that is longer than announced"));
        }
        Ok(bytes)
    }

    fn read_more(&mut self) -> Result<(), Failure> {
        // A line fits, so there is room behind what is moved to the front.
        self.input.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let mut input = std::mem::take(&mut self.input);
        let len = self.receive(&mut input[self.unread.end..]);
        self.input = input;
        self.unread.end += len?;
        Ok(())
    }

    fn receive(&mut self, room: &mut [u8]) -> Result<usize, Failure> {
        let begin = Instant::now();
        let mut looks = self.pause < LOOKED_FOR;
        loop {
            looks = looks && begin.elapsed() < LOOKED_FOR;
            let received = match looks {
                true => socket::receive_now(self.stream.fd(), room),
                false => socket::receive_once(self.stream.fd(), room),
            };
            match received {
                Err(error) if looks && error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Ok(0) => return Err(Failure::gone(format!("{} is gone: it closed the connection", self.shown))),
                Ok(len) => {
                    self.still_since = None;
                    self.pause = begin.elapsed();
                    return Ok(len);
                }
                Err(error) => self.look_up(error)?,
            }
        }
    }

    /// After a system call without success: whether to try again.
    fn look_up(&mut self, error: io::Error) -> Result<(), Failure> {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return Err(Failure::gone(format!("{} is gone: {error}", self.shown)));
        }
        let still = self.still_since.get_or_insert_with(Instant::now).elapsed();
        if still > self.allowed + self.patience {
            let seconds = still.as_secs();
            return Err(Failure::gone(format!("{} is there and has not answered for {seconds} s", self.shown)));
        }
        if still > self.allowed + LATE && self.watch.is_some_and(|watch| watch.says_stop()) {
            return Err(Failure::canceled(format!("stopped by poll while {} did not answer", self.shown)));
        }
        Ok(())
    }
}

fn connect_tcp(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut refusal = io::Error::other("the name stands for no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}
