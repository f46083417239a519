//! Values by key, counters, and queues.

use super::malloced::Malloced;
use super::waiting::{Deadline, LONGEST_SLICE, heed, seconds};
use super::{Failure, Handle};
use std::time::Duration;

/// As in Redis.
const LONGEST_VALUE: usize = 512 << 20;

impl Handle {
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        check_length(value)?;
        self.ask(&[b"SET", key, value], Duration::ZERO)?.done().map(drop)
    }

    /// None: there is no such key.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Malloced>, Failure> {
        self.ask(&[b"GET", key], Duration::ZERO)?.bulk()
    }

    pub fn delete(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.ask(&[b"DEL", key], Duration::ZERO)?.integer().map(drop)
    }

    pub fn add(&mut self, key: &[u8], by: i64) -> Result<i64, Failure> {
        self.ask(&[b"INCRBY", key, by.to_string().as_bytes()], Duration::ZERO)?.integer()
    }

    pub fn push(&mut self, queue: &[u8], value: &[u8]) -> Result<(), Failure> {
        check_length(value)?;
        self.ask(&[b"RPUSH", queue, value], Duration::ZERO)?.integer().map(drop)
    }

    pub fn pop(&mut self, queue: &[u8], timeout_ms: u64) -> Result<Malloced, Failure> {
        if timeout_ms == 0 {
            let value = self.ask(&[b"LPOP", queue], Duration::ZERO)?.bulk()?;
            return value.ok_or_else(|| Failure::timed_out(format!("the queue '{}' is empty", shown(queue))));
        }
        let deadline = Deadline::after(timeout_ms);
        while let Some(slice) = deadline.slice(LONGEST_SLICE, self.watch.as_ref()) {
            if let Some(value) = self.wait_for_element(queue, slice)? {
                return Ok(value);
            }
            heed(self.watch.as_ref())?;
        }
        Err(Failure::timed_out(format!("nothing came into the queue '{}' within {timeout_ms} ms", shown(queue))))
    }

    /// None: nothing came within `slice`.
    pub fn wait_for_element(&mut self, list: &[u8], slice: Duration) -> Result<Option<Malloced>, Failure> {
        let answer = self.ask(&[b"BLPOP", list, seconds(slice).as_bytes()], slice)?;
        match answer.array()?.and_then(|mut items| items.pop()) {
            Some(element) => element.bulk(),
            None => Ok(None),
        }
    }
}

fn check_length(value: &[u8]) -> Result<(), Failure> {
    let len = value.len();
    if len <= LONGEST_VALUE {
        return Ok(());
    }
    Err(Failure::argument(format!("len is {len}: a value has at most {LONGEST_VALUE} bytes; cut it into several")))
}

/// A name in a sentence.
pub fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 80;
    let text = String::from_utf8_lossy(name);
    if text.chars().count() <= LONGEST {
        return text.into_owned();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}
