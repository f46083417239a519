//! The end of a call: what came of it, and all results, go from rank 0 to every rank.

use super::Call;
use super::wire::{Reader, Writer};
use crate::abi::status::{PAR_ITEM_OK, par_item};
use crate::job::{BytesWork, Cause, Job, Outcome, Work};
use crate::mpi::api::Lane;
use crate::mpi::collectives::broadcast_on;
use crate::mpi::failure::Failure;
use crate::mpi::session::Session;
use std::ops::Range;
use std::slice;

/// What rank 0 tells each rank before the results.
#[derive(Debug, Default)]
pub struct Summary {
    pub outcome: Outcome,
    /// Units that did not run, in order.
    pub gaps: Vec<Range<usize>>,
    pub wants_outcomes: bool,
    /// Of a map with one other rank: the units whose results that rank is sent along, since it has the others. None: they
    /// are broadcast.
    pub lacking: Option<Vec<Range<usize>>>,
}

/// More pieces than this take longer than a broadcast.
const MOST_PIECES: usize = 1000;

impl Summary {
    pub fn write(&self, to: &mut Writer) {
        let Outcome { cause, done, failed, first, workers, busy, .. } = &self.outcome;
        let (first, item) = first.map_or((0, par_item::default()), |(index, item)| (index + 1, item));
        to.number(cause.map_or(0, |cause| cause as u64)).size(*done).size(*failed).size(first);
        to.number(u64::from(item.state)).number(item.code as u32 as u64).size(*workers).number(*busy);
        to.ranges(&self.gaps).number(u64::from(self.wants_outcomes));
        to.number(u64::from(self.lacking.is_some())).ranges(self.lacking.as_deref().unwrap_or_default());
    }

    pub fn read(from: &mut Reader) -> Summary {
        let cause = Cause::from_number(from.number() as u32);
        let (done, failed, first) = (from.size(), from.size(), from.size());
        let item = par_item { state: from.number() as u32, code: from.number() as u32 as i32 };
        let first = first.checked_sub(1).map(|index| (index, item));
        let (workers, busy) = (from.size(), from.number());
        let outcome = Outcome { cause, done, failed, first, workers, busy, ..Outcome::default() };
        let (gaps, wants_outcomes) = (from.ranges(), from.number() != 0);
        let (is_apart, lacking) = (from.number() != 0, from.ranges());
        Summary { outcome, gaps, wants_outcomes, lacking: is_apart.then_some(lacking) }
    }

    /// Notes what the one other rank lacks, `theirs` being what it ran.
    pub fn send_apart(&mut self, units: usize, mut theirs: Vec<Range<usize>>) {
        theirs.sort_unstable_by_key(|range| range.start);
        let known = theirs.iter().chain(&self.gaps).cloned();
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by_key(|range| range.start);
        let lacking = between(&known, units);
        self.lacking = (lacking.len() <= MOST_PIECES).then_some(lacking);
    }

    /// The units that ran, in order.
    fn ran(&self, units: usize) -> Vec<Range<usize>> {
        between(&self.gaps, units)
    }
}

/// The units that are in none of `ranges`, which are in order.
fn between(ranges: &[Range<usize>], units: usize) -> Vec<Range<usize>> {
    let begins = std::iter::once(0).chain(ranges.iter().map(|range| range.end));
    let ends = ranges.iter().map(|range| range.start).chain(std::iter::once(units));
    begins.zip(ends).map(|(begin, end)| begin..end).filter(|range| !range.is_empty()).collect()
}

/// The results that come along with the end of a call.
pub fn results<'a>(job: &Job, summary: &Summary) -> Vec<&'a mut [u8]> {
    let Work::Map(map) = job.work() else { return Vec::new() };
    let result = |range: &Range<usize>| match map.output_of(range.clone()) {
        (_, 0) => Default::default(),
        // SAFETY: the caller's results, which no worker touches any more; the ranges are apart.
        (data, len) => unsafe { slice::from_raw_parts_mut(data, len) },
    };
    summary.lacking.iter().flatten().map(result).collect()
}

/// Rank 0's part.
pub fn give(call: &Call, session: &Session, summary: &Summary) -> Result<(), Failure> {
    spread(call, session, summary).map(drop)
}

/// The part of the others.
pub fn take(call: &Call, session: &Session, summary: Summary) -> Result<Outcome, Failure> {
    let has_room = spread(call, session, &summary)?;
    let mut outcome = summary.outcome;
    if !has_room {
        outcome.cause = Some(Cause::NoRoomForResult);
    }
    Ok(outcome)
}

/// False: this rank had no memory for some result.
fn spread(call: &Call, session: &Session, summary: &Summary) -> Result<bool, Failure> {
    let job = call.job;
    let ran = summary.ran(job.units());
    let mut has_room = true;
    match job.work() {
        Work::Map(map) if summary.lacking.is_none() => {
            for range in &ran {
                let (data, len) = map.output_of(range.clone());
                // SAFETY: the results of these items, which no worker touches any more; on every rank as many.
                unsafe { broadcast_on(session, Lane::Own, data, len, 0) }?;
            }
        }
        Work::Bytes(bytes) => {
            for range in &ran {
                has_room &= spread_bytes(session, bytes, range.clone())?;
            }
        }
        Work::Reduce(reduce) if job.has_result(&summary.outcome) && job.items() > 0 => {
            // SAFETY: the accumulator is the caller's, on every rank of the same size.
            unsafe { broadcast_on(session, Lane::Own, reduce.acc, reduce.acc_size, 0) }?;
        }
        _ => {}
    }
    if summary.wants_outcomes {
        spread_outcomes(call, session, summary, &ran)?;
    }
    Ok(has_room)
}

/// All succeeded: then that is known. Otherwise rank 0 has them all.
fn spread_outcomes(call: &Call, session: &Session, summary: &Summary, ran: &[Range<usize>]) -> Result<(), Failure> {
    if summary.outcome.failed == 0 {
        for range in ran {
            call.job.set_outcomes(call.job.items_of(range.clone()), par_item { state: PAR_ITEM_OK, code: 0 });
        }
        return Ok(());
    }
    const AT_ONCE: usize = 1 << 17;
    let n = call.job.items();
    let mut unwanted = Vec::new();
    let own = call.job.outcomes();
    if own.is_none() {
        unwanted.resize(AT_ONCE.min(n), par_item::default());
    }
    for begin in (0..n).step_by(AT_ONCE) {
        let len = AT_ONCE.min(n - begin);
        let part = own.map_or(unwanted.as_mut_ptr(), |outcomes| outcomes.wrapping_add(begin));
        // SAFETY: the caller's outcomes, which no worker touches any more, or as many of this function's.
        unsafe { broadcast_on(session, Lane::Own, part.cast(), len * size_of::<par_item>(), 0) }?;
    }
    Ok(())
}

/// The lengths of all results of the range, then their bytes in pieces. False: no memory for some of them.
fn spread_bytes(session: &Session, bytes: &BytesWork, range: Range<usize>) -> Result<bool, Failure> {
    const AT_ONCE: usize = 1 << 16;
    let is_root = session.rank == 0;
    let mut has_room = true;
    for begin in range.clone().step_by(AT_ONCE) {
        let end = range.end.min(begin + AT_ONCE);
        let mut lens = vec![0u64; end - begin];
        if is_root {
            (begin..end).zip(&mut lens).for_each(|(i, len)| *len = bytes.output_of(i).len() as u64);
        }
        // SAFETY: the numbers are this function's own.
        unsafe { broadcast_on(session, Lane::Own, lens.as_mut_ptr().cast(), 8 * lens.len(), 0) }?;
        has_room &= spread_contents(session, bytes, begin, &lens)?;
    }
    Ok(has_room)
}

fn spread_contents(session: &Session, bytes: &BytesWork, first: usize, lens: &[u64]) -> Result<bool, Failure> {
    const PACKED: usize = 4 << 20;
    let is_root = session.rank == 0;
    let mut has_room = true;
    let mut next = 0;
    let mut packed = Vec::new();
    while next < lens.len() {
        // As many short results as fit go together; a long one goes alone.
        let mut end = next + 1;
        let mut len = lens[next] as usize;
        while end < lens.len() && len + lens[end] as usize <= PACKED {
            len += lens[end] as usize;
            end += 1;
        }
        let items = first + next..first + end;
        packed.clear();
        packed.try_reserve(len).map_err(|_| Failure::memory("results on their way to all ranks", len))?;
        if is_root {
            items.clone().for_each(|i| packed.extend_from_slice(bytes.output_of(i)));
        } else {
            packed.resize(len, 0);
        }
        // SAFETY: the bytes are this function's own.
        unsafe { broadcast_on(session, Lane::Own, packed.as_mut_ptr(), len, 0) }?;
        if !is_root {
            let mut rest = &packed[..];
            for (i, len) in items.zip(&lens[next..end]) {
                let (result, after) = rest.split_at(*len as usize);
                rest = after;
                has_room &= bytes.put_output(i, result);
            }
        }
        next = end;
    }
    Ok(has_room)
}

#[cfg(test)]
mod tests {
    use super::Summary;
    use crate::job::{Cause, Outcome};
    use crate::mpi::call::wire::{Reader, Writer};

    #[test]
    fn a_summary_survives_the_journey() {
        let outcome = Outcome { cause: Some(Cause::TimedOut), done: 5, failed: 1, workers: 3, ..Outcome::default() };
        let summary =
            Summary { outcome, gaps: vec![0..2, 5..6], wants_outcomes: true, lacking: Some(vec![2..3, 6..7]) };
        let mut writer = Writer::default();
        summary.write(&mut writer);
        let read = Summary::read(&mut Reader(&writer.0));
        assert_eq!(format!("{read:?}"), format!("{summary:?}"));
        assert_eq!(read.ran(9), vec![2..5, 6..9]);
    }

    #[test]
    fn a_rank_lacks_what_others_ran() {
        let mut summary = Summary { gaps: vec![0..2, 5..6], ..Summary::default() };
        summary.send_apart(12, vec![8..10, 2..3]);
        assert_eq!(summary.lacking, Some(vec![3..5, 6..8, 10..12]));
    }
}
