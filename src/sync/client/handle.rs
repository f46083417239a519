//! What a C program holds: a connection, or why there is none; the last sentence; the locks it has.

use super::answer::Answer;
use super::connection::Connection;
use super::failure::Failure;
use super::lock::Held;
use super::url::Address;
use crate::fork::process_token;
use std::ffi::{CStr, CString, c_int, c_void};
use std::time::Duration;

/// How long a server may be silent. A Redis that is busy with something else still answers within it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Asked while a call waits.
#[derive(Clone, Copy)]
pub struct Watch {
    function: unsafe extern "C" fn(*mut c_void) -> c_int,
    ctx: *mut c_void,
    pub every: Duration,
}

impl Watch {
    /// # Safety
    /// `function` may be called with `ctx` on the handle's thread as long as the handle has this watch.
    pub unsafe fn new(
        function: unsafe extern "C" fn(*mut c_void) -> c_int,
        ctx: *mut c_void,
        every: Duration,
    ) -> Watch {
        Watch { function, ctx, every }
    }

    pub fn says_stop(&self) -> bool {
        // SAFETY: whoever made this promised as much.
        unsafe { (self.function)(self.ctx) != 0 }
    }
}

pub struct Handle {
    /// Err: how the connection was lost, or why there never was one.
    link: Result<Connection, String>,
    message: CString,
    /// The process that opened it.
    process: u64,
    pub watch: Option<Watch>,
    pub held: Vec<Held>,
}

impl Handle {
    /// With no connection yet.
    pub fn new() -> Handle {
        let link = Err("it was never opened".into());
        Handle { link, message: CString::default(), process: process_token(), watch: None, held: Vec::new() }
    }

    /// Connects, and makes sure that it is a Redis that lets us in. `url` is None where neither the caller nor the environment
    /// has one.
    pub fn open(&mut self, url: Option<&[u8]>, patience: Duration) -> Result<(), Failure> {
        let address = match url {
            Some(url) => Address::parse(url),
            None => {
                Err("url is NULL and the environment has no PAR_SYNC_URL: pass redis://host or unix:///path".into())
            }
        };
        match address.map_err(Failure::argument).and_then(|address| greet(&address, patience)) {
            Ok(connection) => {
                self.link = Ok(connection);
                Ok(())
            }
            Err(failure) => {
                self.link = Err(format!("it could not be opened: {}", failure.sentence));
                Err(failure)
            }
        }
    }

    pub fn message(&self) -> &CStr {
        &self.message
    }

    pub fn tell(&mut self, call: &str, sentence: &str) {
        let text = format!("{call}: {sentence}").replace('\0', " ");
        self.message = CString::new(text).unwrap_or_default();
    }

    pub fn set_watch(&mut self, watch: Option<Watch>) -> Result<(), Failure> {
        self.connection()?.set_watch(watch).map_err(|error| Failure::gone(error.to_string()))?;
        self.watch = watch;
        Ok(())
    }

    pub fn connection(&mut self) -> Result<&mut Connection, Failure> {
        if self.process != process_token() {
            return Err(Failure::argument(
                "this handle was opened before the process was forked: open one in the child",
            ));
        }
        match &mut self.link {
            Ok(connection) => Ok(connection),
            Err(why) => Err(Failure::gone(format!("this handle has no connection, {why}: open another"))),
        }
    }

    /// What `exchange` says is done with the connection. Where that fails half-way, nobody knows which answer comes next,
    /// so the connection ends.
    pub fn exchange<T>(&mut self, exchange: impl FnOnce(&mut Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let result = exchange(self.connection()?);
        if let Err(failure) = &result {
            self.link = Err(format!("it was lost: {}", failure.sentence));
        }
        result
    }

    /// One question and its answer, for which the server may take `allowed`.
    pub fn ask(&mut self, words: &[&[u8]], allowed: Duration) -> Result<Answer, Failure> {
        self.exchange(|connection| {
            connection.add(words)?;
            connection.answer(allowed)
        })
    }

    /// Several questions on one way, and their answers.
    pub fn ask_all<const N: usize>(&mut self, questions: [&[&[u8]]; N]) -> Result<[Answer; N], Failure> {
        self.exchange(|connection| {
            questions.iter().try_for_each(|words| connection.add(words))?;
            let mut answers = [const { Answer::Integer(0) }; N];
            for answer in &mut answers {
                *answer = connection.answer(Duration::ZERO)?;
            }
            Ok(answers)
        })
    }
}

fn greet(address: &Address, patience: Duration) -> Result<Connection, Failure> {
    let mut connection = Connection::open(address, patience)?;
    let shown = connection.shown.clone();
    let database = address.database.to_string();
    let login: Option<Vec<&[u8]>> = address.password.as_ref().map(|password| match &address.user {
        Some(user) => vec![&b"AUTH"[..], user, password],
        None => vec![&b"AUTH"[..], password],
    });
    if let Some(words) = &login {
        connection.add(words)?;
        if let Answer::Error(text) = connection.answer(Duration::ZERO)? {
            return Err(Failure::gone(format!("{shown} does not take the password of the URL: {text}")));
        }
    }
    if address.database != 0 {
        connection.add(&[b"SELECT", database.as_bytes()])?;
        match connection.answer(Duration::ZERO)? {
            Answer::Error(text) if needs_password(&text) => return Err(no_password(&shown, &text)),
            Answer::Error(text) => {
                return Err(Failure::gone(format!("{shown} has no database {database}: {text}")));
            }
            _ => {}
        }
    }
    connection.add(&[b"PING"])?;
    match connection.answer(Duration::ZERO)? {
        Answer::Done => Ok(connection),
        Answer::Error(text) if needs_password(&text) => Err(no_password(&shown, &text)),
        Answer::Error(text) => Err(Failure::gone(format!("{shown} does not serve us: {text}"))),
        other => Err(other.unexpected("PONG")),
    }
}

fn needs_password(text: &str) -> bool {
    text.starts_with("NOAUTH")
}

fn no_password(shown: &str, text: &str) -> Failure {
    Failure::gone(format!("{shown} wants a password: write redis://:password@host ({text})"))
}
