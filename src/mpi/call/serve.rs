//! Rank 0: hands out units to whoever asks; `hear` takes over what comes back.
//!
//! A rank that asks while it still has something, and finds nothing left, is told so at once, since only with its next
//! request can it send results. One that has nothing is left waiting: another rank may give back what it was refused to
//! run, and when nothing is held anywhere the call is over.

use super::Call;
use super::assemble::assemble;
use super::chunk::{pack_entries, stride};
use super::crew::{self, Worker};
use super::deliver::{self, Summary};
use super::desk::Desk;
use super::post;
use super::service::Service;
use super::share;
use super::signature::Signature;
use super::watch::Watch;
use super::wire::Writer;
use crate::abi::status::par_item;
use crate::job::user::Items;
use crate::job::{Cause, Halt, Job, Outcome, Tally, Work};
use crate::mpi::api::Lane;
use crate::mpi::failure::Failure;
use crate::mpi::session::Session;
use crate::mpi::wait::Patience;
use crate::options::Options;
use crate::schedule::{NANO, Picos};
use std::ops::Range;
use std::slice;
use std::time::{Duration, Instant};

/// A rank that has got so much comes for more long before it has none.
const PLENTY: Picos = share::AHEAD;
const SHORTEST_LULL: Duration = Duration::from_micros(200);
const LONGEST_LULL: Duration = Duration::from_millis(1);

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
    // Whoever is to be told at certain times is not to wait for an item.
    let may_stand_in = options.hooks.is_none() && options.poll.is_none() && options.timeout.is_none();
    let desk = Desk::new(job, &halt, options.grain, options.workers).with_stand_in(may_stand_in);
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
    let (said, farewell) = crew::work_while(&desk, options, false, |worker| {
        service.run(worker)?;
        service.end()
    });
    let mut outcome = said?;
    service.watch.end(outcome.done, outcome.failed);
    (outcome.remark, outcome.os_error) = (farewell.remark, farewell.os_error);
    Ok(outcome)
}

impl Service<'_> {
    fn run(&mut self, worker: &mut Worker) -> Result<(), Failure> {
        let mut patience = Patience::beside_workers();
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
            if worker.step() {
                self.session.check_owner()?;
                patience = Patience::default();
                continue;
            }
            if let Some(lull) = self.lull() {
                self.desk.sleep(self.watch.at_most(lull));
                continue;
            }
            match patience.nap() {
                Some(nap) => self.desk.sleep(self.watch.at_most(nap)),
                None => std::hint::spin_loop(),
            }
        }
        Ok(())
    }

    /// How long nobody minds if rank 0 sleeps, as far as is known: a worker here needs the CPU more. None: somebody may run
    /// out of work any moment.
    fn lull(&self) -> Option<Duration> {
        let mut lull = LONGEST_LULL;
        for peer in self.peers.iter().filter(|peer| peer.held > 0 || !peer.asking) {
            lull = lull.min(peer.due?.saturating_duration_since(Instant::now()));
        }
        Some(lull.max(SHORTEST_LULL))
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
        let cost = self.desk.state().cost.filter(|&cost| cost < share::LONG);
        let work = cost.map(|cost| cost.saturating_mul(units.len() as u64) / peer.asks.max(1) as u64);
        peer.due = work.filter(|&work| work >= PLENTY).map(|work| Instant::now() + to_duration(work - share::AHEAD));
        // SAFETY: the input is the caller's, whose items nobody writes before the rank has them, or packed.
        let leaving = unsafe {
            let input = slice::from_raw_parts(input.as_ptr(), input.len());
            post::begin(self.session, at as i32 + 1, post::FROM_RANK_0, head, &[input], packed)
        }?;
        self.handed[at] = Some(leaving);
        Ok(())
    }

    /// Tells all ranks what came of the call. (The workers, who have nothing left, go meanwhile.)
    fn end(&mut self) -> Result<Outcome, Failure> {
        self.desk.close();
        let outcome = self.sum_up();
        let Call { job, .. } = self.call;
        job.finish(&outcome);
        let (gaps, wants_outcomes) = (self.all_gaps(), self.wants_outcomes);
        let mut summary = Summary { outcome: outcome.clone(), gaps, wants_outcomes, lacking: None };
        if let [other] = &mut self.peers[..] {
            summary.send_apart(job.units(), std::mem::take(&mut other.ran));
        }
        let along = deliver::results(job, &summary);
        let along: Vec<&[u8]> = along.iter().map(|result| &**result).collect();
        for rank in 1..self.session.size {
            let mut head = Writer::default();
            head.number(post::END);
            summary.write(&mut head);
            // SAFETY: the results are the caller's.
            unsafe { post::begin(self.session, rank, post::FROM_RANK_0, head, &along, ()) }?.finish(self.session)?;
        }
        deliver::give(self.call, self.session, &summary)?;
        Ok(outcome)
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

fn to_duration(time: Picos) -> Duration {
    Duration::from_nanos(time / NANO)
}

/// The counts of all ranks, those of this one's workers among them.
fn sum(tally: &mut Tally, desk: &Desk) -> Tally {
    let own = std::mem::take(&mut desk.state().tally);
    tally.add(&own);
    tally.clone()
}
