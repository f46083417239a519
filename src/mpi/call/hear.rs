//! What rank 0 takes over from a rank that asks for more: counts, outcomes and results.

use super::chunk::{packed_entries, stride};
use super::post::{self, Blocks};
use super::service::Service;
use super::wire::Reader;
use crate::abi::status::{PAR_ITEM_FAILED, PAR_ITEM_OK, par_item};
use crate::job::{Cause, Tally, Work};
use crate::mpi::api::Envelope;
use crate::mpi::failure::Failure;
use std::ops::Range;
use std::slice;

impl Service<'_> {
    /// Takes over what a rank has done since it last asked.
    pub fn hear(&mut self, envelope: Envelope) -> Result<(), Failure> {
        let rank = envelope.source;
        if let Some(leaving) = self.handed[rank as usize - 1].take() {
            leaving.finish(self.session)?;
        }
        // Its sender may be in a long item, amid the message. Whoever waits for a deadline or a poll does not mind that.
        let received = post::receive_while(self.session, envelope, &mut || self.watch.look(|| self.tally.clone()))?;
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
        let Service { call, desk, watch, tally, .. } = self;
        let (job, halt, so_far) = (call.job, desk.halt, tally.clone());
        let mut meanwhile = || watch.look(|| so_far.clone());
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
                    blocks.fill_while(unsafe { slice::from_raw_parts_mut(data, len) }, &mut meanwhile)?;
                }
            }
            Work::Bytes(bytes) => {
                let mut packed = zeros(len)?;
                blocks.fill_while(&mut packed, &mut meanwhile)?;
                for (i, place) in units.clone().zip(packed_entries(&packed, units.len())) {
                    if !bytes.put_output(i, &packed[place]) {
                        halt.raise(Cause::NoRoomForResult);
                    }
                }
            }
            Work::Reduce(reduce) => {
                let mut folds = zeros(len)?;
                blocks.fill_while(&mut folds, &mut meanwhile)?;
                let step = stride(reduce.acc_size);
                for ((at, unit), fold) in units.enumerate().zip(folds.chunks_exact(step)) {
                    let failed = outcome(at).state == PAR_ITEM_FAILED;
                    let result = (!failed).then_some(&fold[..reduce.acc_size]);
                    job.place(unit, result, halt, tally);
                }
            }
            _ => {}
        }
        Ok(())
    }
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
