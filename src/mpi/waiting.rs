//! What a session waits for, and when it gives up: something to look at, a request, and the end of all ranks.

use super::api::{Answer, Envelope, Lane, Lanes, Request};
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

    /// Looks until a message has come; the host may end the wait, since nothing has begun yet.
    pub fn await_message(
        &self,
        mut look: impl FnMut(&dyn Lanes) -> Answer<Option<Envelope>>,
    ) -> Result<Envelope, Failure> {
        let found =
            self.wait_until(
                Patience::default(),
                |lanes, host_ends| {
                    if host_ends { Ok(Some(None)) } else { Ok(look(lanes)?.map(Some)) }
                },
            )?;
        found.ok_or_else(|| Failure::canceled("the function of par_mpi_while_waiting ended the wait"))
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
        self.wait_with(Patience::for_bytes(len), |lanes| Ok(lanes.test(&mut request)?.then_some(())))
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
