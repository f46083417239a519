//! A rank other than 0: asks rank 0 for units, has them run, and sends what came of them with the next request.
//!
//! Requests and answers alternate strictly, so neither side can wait for the other to receive while it sends. A rank asks
//! when a worker has nothing to do, or soon will not: units that take long are never fetched ahead.

use super::Call;
use super::chunk::{Block, Chunk, pack_entries};
use super::crew::{self, Farewell, Worker};
use super::deliver::{self, Summary};
use super::desk::Desk;
use super::post::{self, Blocks, Leaving};
use super::share;
use super::signature::Signature;
use super::wire::{Reader, Writer};
use crate::abi::status::{PAR_ITEM_OK, par_item};
use crate::job::{Cause, Halt, Outcome, Work};
use crate::mpi::api::{Envelope, Lane};
use crate::mpi::failure::Failure;
use crate::mpi::session::Session;
use crate::mpi::wait::Patience;
use crate::schedule::{NANO, Picos};
use std::slice;
use std::sync::Arc;
use std::time::Instant;

/// Takes part in a call that rank 0 leads.
pub fn attend(call: &Call, session: &Session) -> Result<Outcome, Failure> {
    let halt = Halt::new(None);
    let desk = Desk::new(call.job, &halt, call.options.grain, call.options.workers);
    greet(session, &call.signature(), call)?;
    let mut attendance = Attendance {
        call,
        session,
        desk: &desk,
        waits_for_answer: true,
        asked: None,
        asked_at: Instant::now(),
        ahead: share::AHEAD,
        told_nothing: false,
        told_cause: false,
        spare: None,
        identity: Vec::new(),
        end: None,
    };
    // Rank 0 may come late, or not at all; workers are not needed before it has.
    let answer = session.wait(|lanes| lanes.probe(Lane::Own, Some(0), Some(post::FROM_RANK_0)))?;
    attendance.hear(answer)?;
    // A worker that has to wait for messages anyway does the speaking, too: it looks for an answer between its hand-outs.
    let alone = call.options.workers == 1;
    let (said, farewell) = match attendance.end {
        None => crew::work_while(&desk, call.options, alone, |worker| attendance.run(worker, alone)),
        Some(_) => (Ok(()), Farewell::default()),
    };
    said?;
    match attendance.end.expect("the attendance runs until it has its end") {
        Answer::Refused(sentence) => Err(Failure::argument(sentence)),
        Answer::End(summary) => {
            let mut outcome = deliver::take(call, session, summary)?;
            (outcome.remark, outcome.os_error) = (farewell.remark, farewell.os_error);
            Ok(outcome)
        }
    }
}

/// Tells rank 0 that this rank cannot make the call, and waits until it knows.
pub fn decline(session: &Session, signature: &Signature) -> Result<(), Failure> {
    let mut head = Writer::default();
    head.number(post::HELLO);
    signature.write(&mut head);
    post::send(session, 0, post::TO_RANK_0, head)?;
    let answer = session.wait(|lanes| lanes.probe(Lane::Own, Some(0), Some(post::FROM_RANK_0)))?;
    post::receive(session, answer).map(drop)
}

fn greet(session: &Session, signature: &Signature, call: &Call) -> Result<(), Failure> {
    let mut head = Writer::default();
    head.number(post::HELLO);
    signature.write(&mut head);
    head.size(call.options.workers).number(u64::from(call.options.items.wanted()));
    post::send(session, 0, post::TO_RANK_0, head)
}

/// How a call ends for this rank.
enum Answer {
    Refused(String),
    End(Summary),
}

/// What holds the results of a request: chunks, and what was packed.
type Sent = (Vec<Arc<Chunk>>, Arc<[Vec<u8>]>);

struct Attendance<'a> {
    call: &'a Call<'a>,
    session: &'a Session,
    desk: &'a Desk<'a>,
    waits_for_answer: bool,
    /// The last request, which has left when it is answered.
    asked: Option<Leaving<Sent>>,
    asked_at: Instant,
    /// More is fetched when there is no more than this to do.
    ahead: Picos,
    /// Rank 0 had nothing more; it may again when a rank gives something back.
    told_nothing: bool,
    told_cause: bool,
    /// Memory that fresh pages need not be found for.
    spare: Option<Block>,
    /// What the ranges of a reduce start from.
    identity: Vec<u8>,
    end: Option<Answer>,
}

impl Attendance<'_> {
    fn run(&mut self, worker: &mut Worker, alone: bool) -> Result<(), Failure> {
        let mut patience = if alone { Patience::default() } else { Patience::beside_workers() };
        while self.end.is_none() {
            let lanes = self.session.lanes().expect("rank 0 is there");
            if let Some(answer) = self.session.judge(lanes.probe(Lane::Own, Some(0), Some(post::FROM_RANK_0)))? {
                self.hear(answer)?;
                patience.restart();
                continue;
            }
            if self.desk.halt.stops() {
                self.desk.clear();
                self.desk.wake_all();
            }
            if !self.waits_for_answer && self.wants() {
                self.ask()?;
                patience.restart();
                continue;
            }
            if worker.step() {
                self.session.check_owner()?;
                patience.restart();
                continue;
            }
            match patience.nap() {
                Some(nap) => self.desk.sleep(nap),
                None if alone => std::thread::yield_now(),
                None => std::hint::spin_loop(),
            }
        }
        Ok(())
    }

    /// Whether it is time to ask.
    fn wants(&self) -> bool {
        let state = self.desk.state();
        let has_nothing = state.left() == 0 && state.out == 0;
        let has_news = !state.finished.is_empty() || self.desk.halt.stops() && !self.told_cause;
        let runs_out = state.left() == 0 && state.idle > 0
            || state.supply(self.desk.workers).is_some_and(|supply| supply < self.ahead);
        has_nothing
            || state.deserted
            || has_news && self.desk.halt.stops()
            || runs_out && (!self.told_nothing || has_news)
    }

    /// Sends what is finished, and asks for more.
    fn ask(&mut self) -> Result<(), Failure> {
        if self.desk.state().deserted {
            self.desk.clear();
        }
        let stops = self.desk.halt.stops();
        let mut state = self.desk.state();
        let finished = std::mem::take(&mut state.finished);
        let tally = std::mem::take(&mut state.tally);
        let mut head = Writer::default();
        let asks = match state.deserted {
            true => 0,
            false if state.supply(self.desk.workers).is_some() => self.desk.workers,
            false => state.idle.max(1),
        };
        head.number(post::REQUEST).size(asks).number(state.cost.unwrap_or(0)).size(state.took_part).number(state.busy);
        drop(state);
        let cause = self.desk.halt.cause().filter(|_| stops).map_or(0, |cause| cause as u64);
        self.told_cause |= cause != 0;
        let (first, item) = tally.first.map_or((0, par_item::default()), |(index, item)| (index + 1, item));
        head.number(cause).size(tally.done).size(tally.failed).size(first);
        head.number(u64::from(item.state)).number(item.code as u32 as u64);

        // What did not run of a chunk is rank 0's again.
        let ran: Vec<_> = finished.iter().map(|chunk| (chunk, chunk.ran())).collect();
        let packed = self.pack(&ran)?;
        let mut blocks: Vec<&[u8]> = Vec::new();
        head.size(ran.len());
        let mut next_packed = packed.iter();
        for (chunk, ranges) in &ran {
            head.range(&chunk.units).ranges(ranges);
            for range in ranges {
                let outcomes = chunk.outcomes_of(range.clone());
                let told = outcomes.iter().any(|outcome| outcome.state != PAR_ITEM_OK);
                head.bytes(as_bytes(if told { outcomes } else { &[] }));
                let block = match self.call.job.work() {
                    Work::Map(map) => match map.output_of(range.clone()) {
                        (_, 0) => &[],
                        // SAFETY: the caller's results of units that have run.
                        (data, len) => unsafe { slice::from_raw_parts(data.cast_const(), len) },
                    },
                    Work::Reduce(_) => chunk.folds_of(range.clone()),
                    Work::Bytes(_) => next_packed.next().expect("each range is packed").as_slice(),
                    _ => &[],
                };
                head.size(block.len());
                blocks.push(block);
            }
        }
        (self.waits_for_answer, self.asked_at) = (true, Instant::now());
        let kept = (finished.clone(), packed.clone());
        // SAFETY: the blocks are the caller's results, which nobody writes any more, or lie in the chunks, or are packed.
        self.asked = Some(unsafe { post::begin(self.session, 0, post::TO_RANK_0, head, &blocks, kept) }?);
        Ok(())
    }

    /// The results of a map of bytes, range by range.
    fn pack(&self, ran: &[(&Arc<Chunk>, Vec<std::ops::Range<usize>>)]) -> Result<Arc<[Vec<u8>]>, Failure> {
        let Work::Bytes(bytes) = self.call.job.work() else { return Ok(Arc::default()) };
        let ranges = ran.iter().flat_map(|(_, ranges)| ranges);
        ranges
            .map(|range| {
                pack_entries(range.clone().map(|i| bytes.output_of(i)))
                    .ok_or_else(|| Failure::memory("results on their way to rank 0", 0))
            })
            .collect()
    }

    fn hear(&mut self, envelope: Envelope) -> Result<(), Failure> {
        let received = post::receive(self.session, envelope)?;
        let mut head = Reader(received.bytes());
        let kind = head.number();
        if kind != post::STOP
            && let Some(leaving) = self.asked.take()
        {
            let (chunks, _) = leaving.finish(self.session)?;
            let blocks = chunks.into_iter().filter_map(Arc::into_inner).map(Chunk::into_block);
            self.ahead = share::ahead(self.ahead, self.asked_at.elapsed().as_nanos() as Picos * NANO);
            self.spare = blocks.last().or(self.spare.take());
        }
        match kind {
            post::WORK => {
                self.waits_for_answer = false;
                self.told_nothing = false;
                self.accept(head)
            }
            post::NOTHING_NOW => {
                self.waits_for_answer = false;
                self.told_nothing = true;
                Ok(())
            }
            post::STOP => {
                self.told_cause = true;
                self.desk.halt.raise(Cause::CancelFlag);
                Ok(())
            }
            post::REFUSED => {
                self.end = Some(Answer::Refused(head.text()));
                Ok(())
            }
            _ => {
                let summary = Summary::read(&mut head);
                let mut blocks = Blocks::new(self.session, 0, &mut head);
                deliver::results(self.call.job, &summary).into_iter().try_for_each(|result| blocks.fill(result))?;
                self.end = Some(Answer::End(summary));
                // Some libraries tell the sender that all has come only when they are called again.
                let lanes = self.session.lanes().expect("rank 0 is there");
                self.session.judge(lanes.probe(Lane::Own, Some(0), Some(post::NOTHING))).map(drop)
            }
        }
    }

    /// Puts on the desk what rank 0 has sent.
    fn accept(&mut self, mut head: Reader) -> Result<(), Failure> {
        let (units, wants_outcomes) = (head.range(), head.number() != 0);
        let identity = head.bytes();
        if self.identity.is_empty() {
            self.identity = identity.to_vec();
        }
        let len = head.size();
        let mut input = self
            .spare
            .take()
            .unwrap_or_default()
            .reuse(len)
            .ok_or_else(|| Failure::memory("items from rank 0", len))?;
        Blocks::new(self.session, 0, &mut head).fill(input.bytes())?;
        let chunk = Chunk::new(self.call.job, units.clone(), input, wants_outcomes, &self.identity)
            .ok_or_else(|| Failure::memory("a hand-out from rank 0", len))?;
        self.desk.add(units, Some(Arc::new(chunk)));
        Ok(())
    }
}

pub fn as_bytes(outcomes: &[par_item]) -> &[u8] {
    // SAFETY: a par_item is two numbers without padding.
    unsafe { slice::from_raw_parts(outcomes.as_ptr().cast(), size_of_val(outcomes)) }
}
