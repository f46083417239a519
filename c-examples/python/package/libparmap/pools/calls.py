"""The calls that a pool works on: their items that no worker has, and how each call ends."""

import itertools
from collections import OrderedDict

from libparmap.pools.errors import BrokenPool
from libparmap.pools.jobs import Cost

MOST_COSTS = 256  # functions whose cost is remembered


class Calls:
    def __init__(self, crew):
        self.unfinished = set()
        self._crew = crew
        self._waiting = OrderedDict()  # jobs with items that no worker has, in the order of their turn
        self._feeding = set()  # jobs whose feed may bring more
        self._costs = {}
        self._keys = itertools.count(2)

    # ---- their items -------------------------------------------------------------------------------------------

    def admit(self, job):
        call = job.call
        if job.over:  # it was broken off before anybody came to look at it
            return
        if call.named is None:
            # No name to send: workers forked from now on find the function in their memory.
            call.key = next(self._keys)
            self._crew.inherited[call.key] = call.function
            self.renew(job)
            job.cost = Cost()
        else:
            if len(self._costs) >= MOST_COSTS:
                self._costs.clear()
            # By hash: what a function takes along may be large. Two of the same hash share a guess, nothing else.
            job.cost = self._costs.setdefault(hash(call.named), Cost())
        if job.pending:
            self._waiting[job] = None
        if job.feed is not None:
            self._feeding.add(job)
        self.end_if_done(job)

    def renew(self, job):
        """From now on only workers that are forked after this moment serve the job."""
        self._crew.generation += 1
        job.generation = self._crew.generation

    def head(self):
        """The job whose turn it is to have items handed out, or None."""
        for job in list(self._feeding):
            self._fetch(job)
        while self._waiting:
            job = next(iter(self._waiting))
            if job.begun or not job.outcome.is_cancelled():
                return job
            self.begin(job)
        return None

    def _fetch(self, job):
        if job.pending:
            return
        items = job.feed.take()
        if items:
            job.add(job.feed.taken - len(items), items)
            self._waiting[job] = None
        elif job.feed.exhausted:
            self._feeding.discard(job)
            self.end_if_done(job)

    def begin(self, job):
        """True where the job's items may be handed out; asks its outcome the first time."""
        if not job.begun and not job.outcome.may_begin():
            self._close(job)
            return False
        job.begun = True
        return True

    def next_chunk(self, job, workers):
        chunk = job.next_chunk(workers)
        if not job.pending:
            del self._waiting[job]
        return chunk

    def put_back(self, job, first, items, tries=0):
        """Items that a worker had but did not finish. It is their turn."""
        if len(items) and not job.over:
            job.put_back(first, items, tries)
            self._waiting[job] = None
            self._waiting.move_to_end(job, last=False)

    # ---- their ends --------------------------------------------------------------------------------------------

    def item_failed(self, job, index, error, is_lost=False):
        job.left -= 1
        if not job.over:
            put = job.outcome.put_lost if is_lost else job.outcome.put_failure
            put(index, error)
            self.end_if_done(job)

    def end_if_done(self, job):
        if job.left == 0 and job.is_all_handed_over() and not job.over:
            if job.feed is not None and job.feed.error is not None:
                job.outcome.put_failure(job.feed.taken, job.feed.error)
            job.outcome.end()
            self._close(job)

    def _close(self, job):
        """The outcome has been told all; nothing here holds it any longer, nor the items."""
        job.over = True
        job.pending.clear()
        if job.feed is not None:
            job.feed.stop()
        for _, _, chunk in self._crew.handed_out():
            if chunk.job is job:  # its worker may yet have to say that nothing more is to be done
                chunk.items = ()
        self._feeding.discard(job)
        self._waiting.pop(job, None)
        self._crew.inherited.pop(job.call.key, None)
        self.unfinished.discard(job)
        job.outcome = None

    def break_off(self, job, error):
        """The call is over: items that are not begun never will be."""
        if job.over:
            return
        for worker, _, chunk in self._crew.handed_out():
            if chunk.job is job:
                chunk.end = self._crew.take_back(worker, chunk, chunk.end)
        job.outcome.break_off(error)
        self._close(job)

    def cancel(self, job, error):
        """The call is over at once: whoever runs an item of it is ended."""
        if job.over:
            return
        self.break_off(job, error)
        for worker in self._crew.members:
            if worker.chunks and worker.chunks[0].job is job:
                worker.kill(at=(worker.chunks[0], None))

    def break_off_all(self, error, spared=()):
        for job in self.unfinished.difference(spared):
            self.break_off(job, error)

    def cancel_call_of(self, outcome):
        for job in list(self.unfinished):
            if job.outcome is outcome:
                self.cancel(job, BrokenPool("Pool: the call was interrupted"))

    def start_over(self, error, spared):
        """Breaks off all calls, right after an interruption, too, when any of them may be half closed."""
        self._waiting.clear()
        self._feeding.clear()
        self._crew.inherited.clear()
        for job in self.unfinished.difference(spared):
            outcome, job.over = job.outcome, True
            if outcome is not None:
                outcome.break_off(error)
            if job.feed is not None:
                job.feed.stop()
            self.unfinished.discard(job)
            job.outcome = None
