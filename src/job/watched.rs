//! Running items under watch, one by one: for executors whose workers may die in one, or whose results must travel.

use super::{Cause, Halt, Job, Part, Tally, Work};
use crate::abi::status::{PAR_ITEM_OK, par_item};

pub trait Watch {
    fn before(&mut self, unit: usize);
    /// What counts as the answer of a unit that answered `code`.
    fn after(&mut self, unit: usize, code: i32) -> i32;
}

impl Job {
    /// As `run`, under watch, with a look whether to stop before each item. The watch sees items of a map one by one, ranges
    /// of a `par_for` as the unit they begin with. A reduce is not run here.
    #[inline]
    pub fn run_watched(&self, part: Part, halt: &Halt, tally: &mut Tally, watch: &mut impl Watch) {
        match &self.work {
            Work::Map(map) => self.watch_items(part, halt, tally, watch, |i| map.call(i)),
            Work::Bytes(bytes) => self.watch_items(part, halt, tally, watch, |i| bytes.call(i)),
            Work::For(range) => {
                if !halt.stops() {
                    let begin = part.units.start;
                    watch.before(begin);
                    let code = watch.after(begin, range.call(part.units.clone()));
                    self.settle(part.units, code, halt, tally);
                }
            }
            Work::Reduce(_) | Work::Fold(_) => {}
            #[cfg(all(test, not(loom)))]
            Work::Panic => panic!("planted"),
        }
    }

    #[inline(always)]
    fn watch_items(
        &self,
        part: Part,
        halt: &Halt,
        tally: &mut Tally,
        watch: &mut impl Watch,
        call: impl Fn(usize) -> i32,
    ) {
        let brake = halt.brake();
        let mut done = 0;
        for i in part.units {
            if brake.stops() {
                break;
            }
            watch.before(i);
            let code = watch.after(i, call(i));
            done += 1;
            if code == 0 {
                self.items.set(i..i + 1, par_item { state: PAR_ITEM_OK, code: 0 });
                continue;
            }
            self.fail(i..i + 1, code, tally);
            if !self.keep_going {
                halt.raise(Cause::Failed);
                break;
            }
        }
        tally.done += done;
    }
}
