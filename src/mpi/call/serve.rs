//! Rank 0: hands out units to whoever asks, and takes over what comes back.
//!
//! A rank that asks while it still has something, and finds nothing left, is told so at once, since only with its next
//! request can it send results. One that has nothing is left waiting: another rank may give back what it was refused to
//! run, and when nothing is held anywhere the call is over.

use super::Call;
use super::assemble::assemble;
use super::chunk::{pack_entries, packed_entries, stride};
use super::crew::{self, Worker};
use super::deliver::{self, Summary};
use super::desk::Desk;
use super::post::{self, Blocks, Leaving};
use super::share;
use super::signature::Signature;
use super::watch::Watch;
use super::wire::{Reader, Writer};
use crate::abi::status::{PAR_ITEM_FAILED, PAR_ITEM_OK, par_item};
use crate::job::user::Items;
use crate::job::{Cause, Halt, Job, Outcome, Tally, Work};
use crate::mpi::api::{Envelope, Lane};
use crate::mpi::failure::Failure;
use crate::mpi::session::Session;
use crate::mpi::wait::Patience;
use crate::options::Options;
use crate::schedule::Picos;
use std::ops::Range;
use std::slice;
use std::time::Duration;

/// A rank that had so much at once fetches the next so long before it has none that a nap makes no difference.
const PLENTY: Picos = 2 * share::LONG;
const UNHURRIED_NAP: Duration = Duration::from_micros(200);

/// What rank 0 knows of another rank.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    pub workers: usize,
    /// It waits for an answer.
    pub asking: bool,
    /// How many of its workers could begin at once; 0: none of them takes part.
    pub asks: usize,
    /// Units that were handed to it and not accounted for.
    pub held: usize,
    pub last: usize,
    pub took_part: usize,
    pub busy: Picos,
    pub has_identity: bool,
    pub told_to_stop: bool,
    /// What it ran; kept of the only other rank.
    pub ran: Vec<Range<usize>>,
}

/// Leads the call.
pub fn lead(name: &str, job: &mut Job, options: &Options, session: &Session) -> Result<Outcome, Failure> {
    let halt = Halt::new(options.cancel);
    let mut watch = Watch::new(options, &halt, job.items());
    let own = Signature::of(name, job, options.grain, options.keep_going);
    let n = job.items();
    let mut outcomes: Vec<par_item> = Vec::new();
    let make_room = |others_want: bool| match others_want && !options.items.wanted() {
        true => outcomes.try_reserve_exact(n).err().map(|_| format!("rank 0 has no memory for {n} outcomes")),
        false => None,
    };
    let (peers, others_want) = assemble(session, &own, || watch.look(Tally::default), make_room)?;
    let wants_outcomes = others_want || options.items.wanted();
    if others_want && !options.items.wanted() {
        outcomes.resize(n, par_item::default());
        job.redirect_items(Items(outcomes.as_mut_ptr()));
    }
    let desk = Desk::new(job, &halt, options.grain, options.workers);
    desk.add(0..job.units(), None);
    let call = Call { name, job, options };
    let all_workers = options.workers + peers.iter().map(|peer| peer.workers).sum::<usize>();
    let handed = peers.iter().map(|_| None).collect();
    let mut service = Service {
        call: &call,
        session,
        desk: &desk,
        peers,
        all_workers,
        wants_outcomes,
        watch,
        tally: Tally::default(),
        handed,
        gaps: Vec::new(),
    };
    let (said, farewell) = crew::work_while(&desk, options, false, |worker| service.run(worker));
    said?;
    let mut outcome = service.sum_up();
    job.finish(&outcome);
    let (gaps, lacking) = (service.all_gaps(), None);
    let mut summary = Summary { gaps, outcome: outcome.clone(), wants_outcomes, lacking };
    if let [other] = &mut service.peers[..] {
        summary.send_apart(job.units(), std::mem::take(&mut other.ran));
    }
    let along = deliver::results(job, &summary);
    let along: Vec<&[u8]> = along.iter().map(|result| &**result).collect();
    for rank in 1..session.size {
        let mut head = Writer::default();
        head.number(post::END);
        summary.write(&mut head);
        // SAFETY: the results are the caller's.
        unsafe { post::begin(session, rank, post::FROM_RANK_0, head, &along, ()) }?.finish(session)?;
    }
    deliver::give(&call, session, &summary)?;
    service.watch.end(outcome.done, outcome.failed);
    (outcome.remark, outcome.os_error) = (farewell.remark, farewell.os_error);
    Ok(outcome)
}

struct Service<'a> {
    call: &'a Call<'a>,
    session: &'a Session,
    desk: &'a Desk<'a>,
    peers: Vec<Peer>,
    all_workers: usize,
    wants_outcomes: bool,
    watch: Watch<'a>,
    /// Of other ranks, and of this one's workers as far as they have been asked.
    tally: Tally,
    /// The last hand-out to each of them, which it has when it asks again.
    handed: Vec<Option<Leaving<Vec<u8>>>>,
    /// Units that were handed out and did not run.
    gaps: Vec<Range<usize>>,
}

impl Service<'_> {
    fn run(&mut self, mut worker: Option<&mut Worker>) -> Result<(), Failure> {
        let mut patience = Patience::default();
        while !self.is_over() {
            let lanes = self.session.lanes().expect("other ranks are there");
            let came = self.session.judge(lanes.probe(Lane::Own, None, Some(post::TO_RANK_0)))?;
            let heard = came.is_some();
            if let Some(envelope) = came {
                self.hear(envelope)?;
                patience.restart();
            }
            let Service { watch, tally, desk, .. } = self;
            watch.look(|| sum(tally, desk));
            if self.desk.halt.stops() {
                self.stop_all()?;
            }
            self.answer_all()?;
            if heard {
                continue;
            }
            if worker.as_mut().is_some_and(|worker| worker.step(false)) {
                self.session.check_owner()?;
                continue;
            }
            match patience.nap() {
                _ if self.is_unhurried() => self.desk.sleep(self.watch.at_most(UNHURRIED_NAP)),
                Some(nap) => self.desk.sleep(self.watch.at_most(nap)),
                None => std::thread::yield_now(),
            }
        }
        Ok(())
    }

    /// Whether every rank that comes next comes long before it runs out of work: then a worker here needs the CPU more.
    fn is_unhurried(&self) -> bool {
        let Some(cost) = self.desk.state().cost.filter(|&cost| cost < share::LONG) else { return false };
        let has_plenty = |peer: &Peer| cost.saturating_mul(peer.last as u64) / peer.asks.max(1) as u64 >= PLENTY;
        self.peers.iter().all(|peer| if peer.held > 0 { has_plenty(peer) } else { peer.asking })
    }

    fn stop_all(&mut self) -> Result<(), Failure> {
        let cleared = self.desk.clear();
        self.gaps.extend(cleared);
        self.desk.wake_all();
        for (peer, rank) in self.peers.iter_mut().zip(1..) {
            if peer.held > 0 && !peer.told_to_stop {
                peer.told_to_stop = true;
                let mut head = Writer::default();
                head.number(post::STOP);
                post::send(self.session, rank, post::FROM_RANK_0, head)?;
            }
        }
        Ok(())
    }

    /// Whether nobody has anything any more, and every rank waits for the end.
    fn is_over(&mut self) -> bool {
        if !self.peers.iter().all(|peer| peer.asking && peer.held == 0) {
            return false;
        }
        let state = self.desk.state();
        if state.out > 0 {
            return false;
        }
        let left = state.left();
        let nobody_is_left = state.deserted && self.peers.iter().all(|peer| peer.asks == 0);
        drop(state);
        if left > 0 && nobody_is_left {
            self.desk.halt.raise(Cause::NoWorker);
        }
        if left > 0 && self.desk.halt.stops() {
            let cleared = self.desk.clear();
            self.gaps.extend(cleared);
            return true;
        }
        left == 0
    }

    /// Takes over what a rank has done since it last asked.
    fn hear(&mut self, envelope: Envelope) -> Result<(), Failure> {
        let rank = envelope.source;
        if let Some(leaving) = self.handed[rank as usize - 1].take() {
            leaving.finish(self.session)?;
        }
        let received = post::receive(self.session, envelope)?;
        let mut head = Reader(received.bytes());
        head.number();
        let peer = &mut self.peers[rank as usize - 1];
        peer.asking = true;
        peer.asks = head.size();
        let cost = head.number();
        peer.took_part = head.size();
        peer.busy = head.number();
        let cause = Cause::from_number(head.number() as u32);
        let mut tally = Tally { done: head.size(), failed: head.size(), first: None };
        let first = head.size();
        let item = par_item { state: head.number() as u32, code: head.number() as u32 as i32 };
        tally.first = first.checked_sub(1).map(|index| (index, item));
        let mut ran = Vec::new();
        let mut missing = Vec::new();
        for _ in 0..head.size() {
            let chunk = head.range();
            let ranges = head.ranges();
            self.peers[rank as usize - 1].held -= chunk.len();
            missing.extend(gaps_between(chunk, &ranges));
            if let [other] = &mut self.peers[..] {
                other.ran.extend(ranges.iter().cloned());
            }
            for range in ranges {
                let outcomes = head.bytes();
                ran.push((range, outcomes, head.size()));
            }
        }
        self.tally.add(&tally);
        let mut blocks = Blocks::new(self.session, rank, &mut head);
        for (range, outcomes, len) in ran {
            self.take_over(range, outcomes, len, &mut blocks)?;
        }
        if let Some(cause) = cause {
            self.desk.halt.raise(cause);
        }
        if cost > 0 {
            self.desk.state().cost = Some(cost);
        }
        if self.desk.halt.stops() {
            self.gaps.extend(missing);
        } else {
            // Its workers were refused: others may have them.
            missing.into_iter().for_each(|units| self.desk.add(units, None));
        }
        Ok(())
    }

    fn take_over(
        &mut self,
        units: Range<usize>,
        outcomes: &[u8],
        len: usize,
        blocks: &mut Blocks,
    ) -> Result<(), Failure> {
        let job = self.call.job;
        // None came: all succeeded.
        let outcome = |at: usize| {
            let part = |from: usize| outcomes.get(8 * at + from..8 * at + from + 4);
            let number = |from: usize| part(from).map(|part| u32::from_ne_bytes(part.try_into().expect("four bytes")));
            par_item { state: number(0).unwrap_or(PAR_ITEM_OK), code: number(4).unwrap_or(0) as i32 }
        };
        if self.wants_outcomes {
            if outcomes.is_empty() {
                let ok = par_item { state: PAR_ITEM_OK, code: 0 };
                job.set_outcomes(job.items_of(units.clone()), ok);
            } else {
                for (at, unit) in units.clone().enumerate() {
                    job.set_outcomes(job.items_of(unit..unit + 1), outcome(at));
                }
            }
        }
        match job.work() {
            Work::Map(map) => {
                let (data, len) = map.output_of(units);
                if len > 0 {
                    // SAFETY: the caller's results of units that no worker here has.
                    blocks.fill(unsafe { slice::from_raw_parts_mut(data, len) })?;
                }
            }
            Work::Bytes(bytes) => {
                let mut packed = zeros(len)?;
                blocks.fill(&mut packed)?;
                for (i, place) in units.clone().zip(packed_entries(&packed, units.len())) {
                    if !bytes.put_output(i, &packed[place]) {
                        self.desk.halt.raise(Cause::NoRoomForResult);
                    }
                }
            }
            Work::Reduce(reduce) => {
                let mut folds = zeros(len)?;
                blocks.fill(&mut folds)?;
                let step = stride(reduce.acc_size);
                for ((at, unit), fold) in units.enumerate().zip(folds.chunks_exact(step)) {
                    let failed = outcome(at).state == PAR_ITEM_FAILED;
                    let result = (!failed).then_some(&fold[..reduce.acc_size]);
                    job.place(unit, result, self.desk.halt, &mut self.tally);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Answers every rank that can be answered now.
    fn answer_all(&mut self) -> Result<(), Failure> {
        for at in 0..self.peers.len() {
            if !self.peers[at].asking {
                continue;
            }
            if self.peers[at].asks > 0
                && !self.desk.halt.stops()
                && let Some(units) = self.take_for(at)
            {
                self.hand_out(at, units)?;
            } else if self.peers[at].held > 0 {
                self.peers[at].asking = false;
                let mut head = Writer::default();
                head.number(post::NOTHING_NOW);
                post::send(self.session, at as i32 + 1, post::FROM_RANK_0, head)?;
            }
        }
        Ok(())
    }

    fn take_for(&self, at: usize) -> Option<Range<usize>> {
        let peer = &self.peers[at];
        self.desk.take_for_a_rank(|left, cost| {
            share::for_a_rank(&share::Request {
                left,
                workers: peer.asks,
                all_workers: self.all_workers,
                ranks: self.peers.len() + 1,
                last: peer.last,
                cost,
                grain: self.desk.grain,
                unit_bytes: self.unit_bytes(),
            })
        })
    }

    fn unit_bytes(&self) -> usize {
        match self.call.job.work() {
            Work::Map(map) => map.in_size + map.out_size,
            Work::Reduce(reduce) => stride(reduce.acc_size),
            // As long as the first of them, as a rule.
            Work::Bytes(bytes) => bytes.input_of(0).len(),
            _ => 0,
        }
    }

    fn hand_out(&mut self, at: usize, units: Range<usize>) -> Result<(), Failure> {
        let peer = &mut self.peers[at];
        let mut head = Writer::default();
        head.number(post::WORK).range(&units).number(u64::from(self.wants_outcomes));
        let mut packed = Vec::new();
        let (mut identity, mut input): (&[u8], &[u8]) = (&[], &[]);
        match self.call.job.work() {
            Work::Map(map) => {
                let (data, len) = map.input_of(units.clone());
                // SAFETY: the caller's items, which nobody writes while nobody else has their units.
                input = unsafe { slice::from_raw_parts(data, len) };
            }
            Work::Bytes(bytes) => {
                packed = pack_entries(units.clone().map(|i| bytes.input_of(i)))
                    .ok_or_else(|| Failure::memory("items on their way to another rank", 0))?;
                input = &packed;
            }
            Work::Reduce(reduce) if !peer.has_identity => {
                // SAFETY: the caller's accumulator, which holds the identity until the end.
                identity = unsafe { slice::from_raw_parts(reduce.acc, reduce.acc_size) };
            }
            _ => {}
        }
        head.bytes(identity).size(input.len());
        peer.has_identity = true;
        peer.asking = false;
        peer.last = units.len();
        peer.held += units.len();
        // SAFETY: the input is the caller's, whose items nobody writes before the rank has them, or packed.
        let leaving = unsafe {
            let input = slice::from_raw_parts(input.as_ptr(), input.len());
            post::begin(self.session, at as i32 + 1, post::FROM_RANK_0, head, &[input], packed)
        }?;
        self.handed[at] = Some(leaving);
        Ok(())
    }

    fn sum_up(&mut self) -> Outcome {
        let tally = sum(&mut self.tally, self.desk);
        let halt = self.desk.halt;
        let stopped = tally.done < self.call.job.items();
        if stopped {
            halt.raise(Cause::NoWorker);
        }
        let state = self.desk.state();
        Outcome {
            cause: halt.cause().filter(|cause| stopped || cause.spoils_all()),
            done: tally.done,
            failed: tally.failed,
            first: tally.first,
            workers: state.took_part + self.peers.iter().map(|peer| peer.took_part).sum::<usize>(),
            busy: state.busy + self.peers.iter().map(|peer| peer.busy).sum::<Picos>(),
            ..Outcome::default()
        }
    }

    /// All units that did not run, in order.
    fn all_gaps(&self) -> Vec<Range<usize>> {
        let mut gaps = self.gaps.clone();
        gaps.extend(self.desk.state().gaps.iter().cloned());
        gaps.sort_unstable_by_key(|gap| gap.start);
        gaps
    }
}

/// The counts of all ranks, those of this one's workers among them.
fn sum(tally: &mut Tally, desk: &Desk) -> Tally {
    let own = std::mem::take(&mut desk.state().tally);
    tally.add(&own);
    tally.clone()
}

fn zeros(len: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Failure::memory("results of another rank", len))?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// What of `whole` is in none of `parts`, which are in order.
fn gaps_between(whole: Range<usize>, parts: &[Range<usize>]) -> Vec<Range<usize>> {
    let begins = std::iter::once(whole.start).chain(parts.iter().map(|part| part.end));
    let ends = parts.iter().map(|part| part.start).chain(std::iter::once(whole.end));
    begins.zip(ends).map(|(begin, end)| begin..end).filter(|gap| !gap.is_empty()).collect()
}
