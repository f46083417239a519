//! What the host, the supervisor and the workers of a call share: one mapping, at the same address in all of them.
//!
//! The pages are taken when they are first touched, so a large table of results costs what is written to it. The mapping
//! is anonymous: neither /dev/shm nor a descriptor is needed.

use super::bytes::{Parcels, Place};
use super::claims::Claims;
use super::record::Record;
use super::reduce::{Line, Sizes};
use super::results::Results;
use super::system;
use crate::abi::status::par_item;
use crate::job::user::Items;
use crate::job::{Halt, Job, Work};
use crate::memory;
use crate::options::Options;
use crate::shm;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use std::time::Instant;

/// One call, as each of its processes has it.
pub struct Call<'a> {
    pub job: &'a Job,
    pub options: &'a Options<'a>,
    pub workers: usize,
    pub started: Instant,
    pub deadline: Option<Instant>,
    pub shared: Shared<'a>,
}

impl Call<'_> {
    /// Nanoseconds of the call; never 0.
    pub fn clock(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64 + 1
    }
}

pub struct Shared<'a> {
    pub control: &'a Control<'a>,
    pub records: &'a [Record],
    /// Outcomes of the items, if the caller wants them.
    pub items: Items,
    pub results: Option<Results>,
    pub parcels: Option<Parcels<'a>>,
    pub line: Option<Line<'a>>,
    /// Last, so that what lies in it goes first.
    _mapping: Mapping,
}

#[derive(Debug)]
pub struct Control<'a> {
    pub halt: Halt<'a>,
    pub claims: Claims,
    /// 1 when the supervisor has nothing more to do.
    pub finished: AtomicU32,
    /// Not 0: whoever runs is not waited for much longer.
    pub hurry: AtomicU32,
    /// The errno of the last fork that was refused, and how many workers were missing then.
    pub refused: AtomicI32,
    pub missing: AtomicUsize,
    /// Workers that ended before they began an item, and how the last of them did.
    pub stillborn: AtomicUsize,
    pub stillborn_state: AtomicU32,
    pub stillborn_code: AtomicI32,
    /// Workers that ended in `worker_stop`.
    pub ended_stopping: AtomicUsize,
    /// Items that still ran when the call was stopped, and were ended with their workers.
    pub cut_short: AtomicUsize,
    /// One more than the item whose result had no room.
    pub no_room_for: AtomicUsize,
    /// The end of the file of results of any length.
    pub tail: AtomicU64,
    /// See `reduce`: who combines; and what is combined so far.
    pub combiner: AtomicU32,
    pub combined: AtomicU64,
}

/// An error number.
#[derive(Clone, Copy, Debug)]
pub struct Refused(pub i32);

/// How many bytes were asked for in vain.
#[derive(Clone, Copy, Debug)]
pub enum NoMemory {
    Shared(usize, Refused),
    File(Refused),
}

impl<'a> Shared<'a> {
    pub fn new(job: &Job, options: &Options<'a>, workers: usize) -> Result<Shared<'a>, NoMemory> {
        let (n, units) = (job.items(), job.units());
        let returned = match job.work() {
            Work::Map(map) if !map.output.is_null() && !shm::holds(map.output, n * map.out_size) => Some(*map),
            _ => None,
        };
        let bytes = match job.work() {
            Work::Bytes(bytes) => Some(*bytes),
            _ => None,
        };
        let sizes = match job.work() {
            Work::Reduce(reduce) => Some(Sizes::of(reduce)),
            _ => None,
        };

        let mut plan = Plan::default();
        let control = plan.room::<Control>(1);
        let records = plan.room::<Record>(workers);
        let items = plan.room::<par_item>(if options.items.wanted() { n } else { 0 });
        let ready = plan.room::<AtomicU8>(if returned.is_some() || bytes.is_some() { n } else { 0 });
        let results = plan.bytes(returned.map_or(Some(0), |map| n.checked_mul(map.out_size)), 64);
        let places = plan.room::<Place>(if bytes.is_some() { n } else { 0 });
        let states = plan.room::<AtomicU8>(if sizes.is_some() { units } else { 0 });
        let accs = plan.bytes(sizes.as_ref().map_or(Some(0), |sizes| sizes.room(units)), 64);

        let mapping = Mapping::new(plan.len.unwrap_or(usize::MAX))?;
        let at = |offset: usize| mapping.base.wrapping_add(offset);
        let control: *mut Control = at(control).cast();
        let records: *mut Record = at(records).cast();
        let ready: *const AtomicU8 = at(ready).cast_const().cast();
        // SAFETY: the plan has room for each at its place, aligned, and nobody else has the mapping yet. It lives as long as
        // the references, which leave this struct only by borrowing it.
        let (control, records) = unsafe {
            control.write(Control::new(units, job.unit_grain(options.grain), workers, options));
            (0..workers).for_each(|worker| records.add(worker).write(Record::new()));
            (&*control, std::slice::from_raw_parts(records, workers))
        };
        let parcels = match bytes {
            Some(bytes) => Some(Parcels::new(bytes, at(places).cast(), ready, &control.tail).map_err(NoMemory::File)?),
            None => None,
        };
        let line = sizes.map(|sizes| Line::new(control, at(states).cast_const().cast(), at(accs), sizes, units));
        Ok(Shared {
            control,
            records,
            items: Items(if options.items.wanted() { at(items).cast() } else { ptr::null_mut() }),
            results: returned.map(|map| Results::new(map, at(results), ready)),
            parcels,
            line,
            _mapping: mapping,
        })
    }
}

impl<'a> Control<'a> {
    fn new(units: usize, grain: usize, workers: usize, options: &Options<'a>) -> Control<'a> {
        Control {
            halt: Halt::new(options.cancel),
            claims: Claims::new(units, grain, workers),
            finished: AtomicU32::new(0),
            hurry: AtomicU32::new(0),
            refused: AtomicI32::new(0),
            missing: AtomicUsize::new(0),
            stillborn: AtomicUsize::new(0),
            stillborn_state: AtomicU32::new(0),
            stillborn_code: AtomicI32::new(0),
            ended_stopping: AtomicUsize::new(0),
            cut_short: AtomicUsize::new(0),
            no_room_for: AtomicUsize::new(0),
            tail: AtomicU64::new(0),
            combiner: AtomicU32::new(0),
            combined: AtomicU64::new(0),
        }
    }
}

/// Places in a mapping that is not there yet.
struct Plan {
    /// None: more than memory can hold.
    len: Option<usize>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { len: Some(0) }
    }
}

impl Plan {
    fn room<T>(&mut self, count: usize) -> usize {
        self.bytes(count.checked_mul(size_of::<T>()), align_of::<T>())
    }

    fn bytes(&mut self, len: Option<usize>, align: usize) -> usize {
        let begin = self.len.and_then(|end| end.checked_next_multiple_of(align));
        self.len = begin.zip(len).and_then(|(begin, len)| begin.checked_add(len));
        begin.unwrap_or(0)
    }
}

struct Mapping {
    base: *mut u8,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> Result<Mapping, NoMemory> {
        let base = memory::map_shared(len);
        if base.is_null() { Err(NoMemory::Shared(len, Refused(system::errno()))) } else { Ok(Mapping { base, len }) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and what refers to it has ended before.
        unsafe { memory::unmap_shared(self.base, self.len) };
    }
}
