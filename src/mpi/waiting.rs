//! What a session waits for, and when it gives up: something to look at, a request, and the end of all ranks.

use super::api::{Answer, Arrival, Lane, Lanes, Recalled, Request};
use super::failure::Failure;
use super::presence::{Doing, Inquiry};
use super::session::Session;
use super::wait::Patience;
use std::time::Duration;

impl Session {
    /// Looks until something is there, without burning a core.
    pub fn wait<T>(&self, look: impl FnMut(&dyn Lanes) -> Answer<Option<T>>) -> Result<T, Failure> {
        self.wait_with(Patience::default(), look)
    }

    /// Receives the next message of the user's into `data`. The host may end the wait; then, as after one in vain, the receive
    /// is taken back, so that it takes nobody's message.
    ///
    /// # Safety
    /// `data` has `room` bytes, and stays.
    pub(super) unsafe fn await_arrival(
        &self,
        data: *mut u8,
        room: usize,
        source: Option<i32>,
        tag: Option<i32>,
    ) -> Result<Arrival, Failure> {
        let lanes = self.lanes().expect("only who has peers waits for them");
        // SAFETY: the caller says so.
        let mut request = self.judge(unsafe { lanes.post(Lane::User, data, room, source, tag) })?;
        let mut is_open = true;
        let waited = self.wait_until(Patience::default(), |lanes, host_ends| match lanes.arrived(&mut request) {
            Ok(None) if host_ends => Ok(Some(None)),
            Ok(None) => Ok(None),
            Ok(arrival) => Ok(Some(arrival)),
            Err(code) => {
                is_open = false;
                Err(code)
            }
        });
        match waited {
            Ok(Some(arrival)) => Ok(arrival),
            Err(failure) if !is_open => Err(failure),
            ended => match self.take_back(lanes, request).inspect_err(|why| self.break_off(&why.sentence))? {
                Some(arrival) => Ok(arrival),
                None => Err(ended
                    .err()
                    .unwrap_or_else(|| Failure::canceled("the function of par_mpi_while_waiting ended the wait"))),
            },
        }
    }

    /// Some: a message was faster.
    #[cold]
    fn take_back(&self, lanes: &dyn Lanes, mut request: Request) -> Result<Option<Arrival>, Failure> {
        self.judge(lanes.recall(&mut request))?;
        self.wait(|lanes| match lanes.recalled(&mut request)? {
            Recalled::Unknown => Ok(None),
            Recalled::Unused => Ok(Some(None)),
            Recalled::Used(arrival) => Ok(Some(Some(arrival))),
        })
    }

    fn wait_with<T>(
        &self,
        patience: Patience,
        mut look: impl FnMut(&dyn Lanes) -> Answer<Option<T>>,
    ) -> Result<T, Failure> {
        self.wait_until(patience, |lanes, _| look(lanes))
    }

    /// `look` also hears whether the host wants the wait to end.
    fn wait_until<T>(
        &self,
        mut patience: Patience,
        mut look: impl FnMut(&dyn Lanes, bool) -> Answer<Option<T>>,
    ) -> Result<T, Failure> {
        let lanes = self.lanes().expect("only who has peers waits for them");
        let mut inquiry = None;
        let mut host_ends = false;
        loop {
            if let Some(found) = self.judge(look(lanes, host_ends))? {
                return Ok(found);
            }
            host_ends = patience.rest();
            if patience.is_long() {
                let inquiry = inquiry.get_or_insert_with(|| Inquiry::new(&self.presence));
                if let Some(why) = self.judge(inquiry.look(&self.presence, lanes, self.rank, self.size))? {
                    return Err(self.give_up(&why));
                }
            }
        }
    }

    /// What was begun with others cannot be taken back: after that, nothing is done together any more.
    fn give_up(&self, why: &str) -> Failure {
        let sentence = format!("rank {} would wait for ever: {why}", self.rank);
        if !self.presence.is_receiving() {
            self.break_off(&sentence);
        }
        Failure::mpi(sentence)
    }

    /// From now on this rank would be out of step with the others, so it does nothing with them any more, and its end is
    /// that of the job.
    pub fn break_off(&self, why: &str) {
        if self.broken.get().is_none() {
            self.broken.set(Some(Box::leak(format!("an earlier call failed: {why}").into_boxed_str())));
        }
    }

    /// Waits until what has begun is done. It moves `len` bytes.
    pub fn finish(&self, mut request: Request, len: usize) -> Result<(), Failure> {
        let lanes = self.lanes().expect("only who has peers waits for them");
        // Most short messages are on their way before this is asked.
        if self.judge(lanes.test(&mut request))? { Ok(()) } else { self.finish_while(request, len, &mut || {}) }
    }

    /// The same, looking after something else between two looks.
    pub fn finish_while(&self, mut request: Request, len: usize, meanwhile: &mut dyn FnMut()) -> Result<(), Failure> {
        self.wait_with(Patience::for_bytes(len), |lanes| {
            meanwhile();
            Ok(lanes.test(&mut request)?.then_some(()))
        })
    }

    pub(super) fn barrier_before_the_end(&self) -> Result<(), Failure> {
        self.begin(Doing::Leaving)?;
        let Some(lanes) = self.lanes() else { return Ok(()) };
        self.wait(|lanes| Ok(self.presence.has_told_all(lanes)?.then_some(())))?;
        // SAFETY: every rank comes here once.
        let all_here = self.judge(unsafe { lanes.barrier(Lane::Own) })?;
        self.finish(all_here, 0)?;
        self.discard_all(lanes)
    }

    /// Receives what nobody has wanted: some libraries complain of that when they are finalized.
    fn discard_all(&self, lanes: &dyn Lanes) -> Result<(), Failure> {
        let mut quiet = 0;
        while quiet < 4 {
            quiet += 1;
            for lane in [Lane::User, Lane::Own] {
                while let Some(envelope) = self.judge(lanes.probe(lane, None, None))? {
                    let mut unwanted = vec![0u8; envelope.len];
                    // SAFETY: there is room for the message, which stays until the request is done.
                    let request = self.judge(unsafe { lanes.receive(&envelope, unwanted.as_mut_ptr()) })?;
                    self.finish(request, envelope.len)?;
                    quiet = 0;
                }
            }
            // What was sent before the barrier may still be on its way.
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}
