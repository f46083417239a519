//! What a server answers, in RESP2: the client never asks for more.

use super::Failure;
use super::malloced::Malloced;

#[derive(Debug)]
pub enum Answer {
    /// Done, in a word that need not be read.
    Done,
    Error(String),
    Integer(i64),
    /// None: there is none.
    Bulk(Option<Malloced>),
    Array(Option<Vec<Answer>>),
}

impl Answer {
    pub fn integer(self) -> Result<i64, Failure> {
        match self {
            Answer::Integer(value) => Ok(value),
            other => Err(other.unexpected("a number")),
        }
    }

    pub fn bulk(self) -> Result<Option<Malloced>, Failure> {
        match self {
            Answer::Bulk(bytes) => Ok(bytes),
            other => Err(other.unexpected("bytes")),
        }
    }

    pub fn array(self) -> Result<Option<Vec<Answer>>, Failure> {
        match self {
            Answer::Array(items) => Ok(items),
            other => Err(other.unexpected("a list")),
        }
    }

    /// OK, or nothing done, where a condition was asked for.
    pub fn done(self) -> Result<bool, Failure> {
        match self {
            Answer::Done => Ok(true),
            Answer::Bulk(None) => Ok(false),
            other => Err(other.unexpected("OK")),
        }
    }

    /// A number that is stored as text; None: there is no such key.
    pub fn stored_number(self) -> Result<Option<i64>, Failure> {
        let Some(bytes) = self.bulk()? else { return Ok(None) };
        let number = std::str::from_utf8(bytes.bytes()).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| Failure::argument("the key holds no number: something else writes to it"))
    }

    pub fn unexpected(self, wanted: &str) -> Failure {
        match self {
            Answer::Error(text) => Failure::refused(&text),
            other => Failure::gone(format!("the server answers {other:?}, not {wanted}: is it a Redis?")),
        }
    }
}
