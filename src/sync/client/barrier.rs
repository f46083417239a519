//! A barrier of counters and lists, so that any Redis will do, without a script.
//!
//! Arrivals are counted for ever: arrival `a` belongs to generation `(a - 1) / parties`, which is complete once the count has
//! reached `(generation + 1) * parties`. So the same name serves again and again, and a party that is late for one meeting
//! cannot be taken for an early one of the next.
//!
//! The count is the truth; the list of tokens that the last party pushes only wakes the others. A last party that dies
//! before it has pushed costs them a slice of their wait, after which they look at the count.
//!
//! Whoever gives up takes its arrival back, unless its generation has become complete: WATCH and EXEC decide. A party that
//! is killed while it waits cannot: its arrival stays and stands in for one party that never comes. Keys that nobody
//! has used for an hour are gone.

use super::answer::Answer;
use super::values::shown;
use super::waiting::{Deadline, heed};
use super::{Failure, Handle};
use std::time::Duration;

/// Each gets a token in one command, of which a Redis takes 2^20 words.
const MOST_PARTIES: usize = 1_000_000;
/// Until a waiting party looks at the count.
const SLICE: Duration = Duration::from_secs(1);
const KEPT_MS: &[u8] = b"3600000";
const TOKENS_KEPT_MS: &[u8] = b"60000";

struct Meeting {
    count: Vec<u8>,
    /// The count when nobody had come yet, and when everybody is there.
    before: i64,
    complete: i64,
    tokens: Vec<u8>,
}

impl Handle {
    pub fn barrier(&mut self, name: &[u8], parties: usize, timeout_ms: u64) -> Result<(), Failure> {
        if parties == 0 || parties > MOST_PARTIES {
            return Err(Failure::argument(format!("parties is {parties}: pass 1 to {MOST_PARTIES}")));
        }
        let deadline = Deadline::after(timeout_ms);
        let count = [format!("par:barrier:{parties}:").as_bytes(), name].concat();
        let [arrival, kept] = self.ask_all([&[b"INCR", &count], &[b"PEXPIRE", &count, KEPT_MS]])?;
        let (arrival, _) = (arrival.integer()?, kept.integer()?);
        if !(1..i64::MAX / 2).contains(&arrival) {
            let key = shown(&count);
            return Err(Failure::argument(format!("the key '{key}' holds {arrival}: something else writes to it")));
        }
        let generation = (arrival - 1) / parties as i64;
        let tokens = [format!("par:barrier-open:{parties}:{generation}:").as_bytes(), name].concat();
        let before = generation * parties as i64;
        let meeting = Meeting { count, before, complete: before + parties as i64, tokens };
        if arrival == meeting.complete {
            return self.open_barrier(&meeting, parties - 1);
        }
        let waited = self.wait_at_barrier(&meeting, &deadline);
        if let Ok(true) = waited {
            return Ok(());
        }
        match (waited, self.leave_barrier(&meeting)) {
            (_, Ok(None)) => Ok(()),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
            (Ok(_), Ok(Some(there))) => {
                let name = shown(name);
                let told = format!("{there} of {parties} parties came to '{name}' within {timeout_ms} ms");
                Err(Failure::timed_out(told))
            }
        }
    }

    /// Wakes the others.
    fn open_barrier(&mut self, meeting: &Meeting, others: usize) -> Result<(), Failure> {
        if others == 0 {
            return Ok(());
        }
        let [pushed, kept] = self.exchange(|connection| {
            connection.begin(2 + others);
            connection.word(b"RPUSH")?;
            connection.word(&meeting.tokens)?;
            (0..others).try_for_each(|_| connection.word(b"1"))?;
            connection.add(&[b"PEXPIRE", &meeting.tokens, TOKENS_KEPT_MS])?;
            Ok([connection.answer(Duration::ZERO)?, connection.answer(Duration::ZERO)?])
        })?;
        pushed.integer()?;
        kept.integer().map(drop)
    }

    /// Whether everybody came in time.
    fn wait_at_barrier(&mut self, meeting: &Meeting, deadline: &Deadline) -> Result<bool, Failure> {
        while let Some(slice) = deadline.slice(SLICE, self.watch.as_ref()) {
            if self.wait_for_element(&meeting.tokens, slice)?.is_some() {
                return Ok(true);
            }
            let [there, kept] = self.ask_all([&[b"GET", &meeting.count], &[b"PEXPIRE", &meeting.count, KEPT_MS]])?;
            let (there, _) = (there.stored_number()?, kept.integer()?);
            if there.is_some_and(|there| there >= meeting.complete) {
                return Ok(true);
            }
            heed(self.watch.as_ref())?;
        }
        Ok(false)
    }

    /// Takes the arrival back and answers how many had come with it. None: everybody has come after all.
    fn leave_barrier(&mut self, meeting: &Meeting) -> Result<Option<i64>, Failure> {
        loop {
            let [watched, there] = self.ask_all([&[b"WATCH", &meeting.count], &[b"GET", &meeting.count]])?;
            watched.done()?;
            // What is no number is no count of ours any more.
            let there = there.stored_number().ok().flatten().unwrap_or(0);
            let is_forgotten = there <= meeting.before;
            if there >= meeting.complete || is_forgotten {
                self.ask(&[b"UNWATCH"], Duration::ZERO)?.done()?;
                return Ok(is_forgotten.then_some(0));
            }
            let [multi, queued, done] = self.ask_all([&[b"MULTI"], &[b"DECR", &meeting.count], &[b"EXEC"]])?;
            multi.done()?;
            queued.done()?;
            if let Answer::Array(Some(counts)) = done {
                // A server that is full says so here, too.
                counts.into_iter().try_for_each(|count| count.integer().map(drop))?;
                return Ok(Some(there - meeting.before));
            }
            done.array()?;
        }
    }
}
