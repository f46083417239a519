"""The ranks of an MPI program in the place of worker processes.

Rank 0 hands out items and takes results; while it has neither to do it runs items itself, on the thread that drives
the pool. The other ranks stand in serving.py. A rank that dies takes the whole program with it, which its launcher
sees to, so nobody here waits for the dead.
"""

import atexit
import os
import pickle
import select
import time
import weakref
from collections import deque

from libparmap import _core, mpi
from libparmap.parcels import Parcel, unpack
from libparmap.pools import serving
from libparmap.pools.answers import rebuilt
from libparmap.pools.calls import Calls
from libparmap.pools.driver import Driver, end_drivers
from libparmap.pools.errors import BrokenPool
from libparmap.pools.ledger import Ledger

SLICE_MS = 1  # rank 0 looks for messages after so long a time of its own items
MOST_CHUNKS = 2  # at one rank
# A message up to this length goes on its way though its receiver is busy. A longer one waits for its receiver, which may
# wait for us to take a result: neither may ever wait for the other.
MOST_AHEAD = 1024
FOREVER = float("inf")

_open = None  # weakly, the side that the ranks serve
_others: list["Rank"] = []  # the ranks from 1 on; what they were sent for earlier pools may still be on its way back


class RankSide:
    can_end_items = False

    def __init__(self, processes, initializer, initargs, maxtasks):
        if maxtasks is not None:
            raise ValueError(f"Pool: maxtasksperchild is {maxtasks}, but ranks live as long as the program: leave it out")
        if mpi.rank() != 0:
            serving.serve()
        _open_only(self)
        self.dispatcher = RankDispatcher(processes)
        self.driver = Driver(self.dispatcher)
        if initializer is not None:
            self.dispatcher.crew.start(initializer, initargs)

    @property
    def calls(self):
        return self.dispatcher.calls

    def hire_all(self):
        """They are there."""

    def close(self):
        self.driver.order(self.dispatcher.reception.close)

    def join(self):
        self.driver.wait(lambda: self.driver.is_idle() and self.dispatcher.crew.is_empty())

    def is_over(self):
        return self.dispatcher.reception.is_closed() and not self.calls.unfinished


def _open_only(side):
    """One at a time, since whoever receives has to know what the answers mean."""
    global _open
    other = None if _open is None else _open()
    if other is not None and not other.is_over():
        raise RuntimeError("Pool: the ranks serve another pool: close that first, or end its `with`")
    if _open is None:
        _others.extend(Rank(number) for number in range(1, mpi.size()))
        atexit.register(_end_the_others)
    _open = weakref.ref(side)


def _end_the_others():
    """At the end of the program. They may wait for somebody to take their results, which are nobody's any more."""
    end_drivers()
    for rank in _others:
        while rank.chunks:
            kind, *_, finished = mpi.receive(rank.number, tag=serving.ANSWERS)
            if kind == serving.NOT_LOADED or kind == serving.RESULTS and finished:
                rank.chunks.popleft()
        mpi.send((serving.END,), rank.number, tag=serving.ORDERS)


class Rank:
    usable = True
    tasks = 0

    def __init__(self, number):
        self.number = number
        self.chunks = deque()  # those whose last result is not here; it runs the first

    def kill(self, at=None):
        """A rank cannot be ended alone; it goes on with its item, and nobody wants the result."""


class RankCrew:
    leaving = ()
    generation = 0

    def __init__(self, processes):
        self.inherited = {}  # never looked at: functions that cannot be pickled are refused
        self.here = Rank(0)
        self.members = _others[: processes - 1]

    def start(self, initializer, initargs):
        order = serving.wrapped((initializer, initargs))
        for rank in self.members:
            mpi.send((serving.START, order), rank.number, tag=serving.ORDERS)
        initializer(*initargs)

    def handed_out(self):
        """Nothing of what a rank has can be taken back."""
        return ()

    def dismiss(self, rank):
        """They stand ready for the next pool."""

    def is_empty(self):
        return not any(rank.chunks for rank in _others)


class RankDispatcher:
    def __init__(self, processes):
        self.crew = RankCrew(processes)
        self.calls = Calls(self.crew)
        self.reception = RankReception(self.crew, self.calls, self.next_own_chunk)
        self._too_long_to_wait = set()  # functions whose orders are, by hash: they may be long themselves

    def hand_out(self):
        """Gives work to every other rank that can take some."""
        while (job := self._next_job()) is not None:
            rank = self._rank_for(job)
            if rank is None:
                break
            if self.calls.begin(job):
                self._send(rank, self.calls.next_chunk(job, 1 + len(self.crew.members)))
        return False

    def _next_job(self):
        """The job whose turn it is, those that cannot be served having been told so."""
        while (job := self.calls.head()) is not None:
            refusal = self.reception.broken
            if refusal is None and job.call.named is None:
                refusal = pickle.PicklingError(
                    f"Pool: {job.call.function!r} cannot be pickled, and other ranks know a function by its pickle "
                    "alone: define it at the top of a module"
                )
            if refusal is None:
                return job
            self.calls.break_off(job, refusal)
        return None

    def _rank_for(self, job):
        """A rank with nothing to do, or one that is to find its next chunk when it has done the first."""
        rank = min(self.crew.members, key=lambda rank: len(rank.chunks), default=None)
        if rank is None or not rank.chunks:
            return rank
        may_wait = hash(job.call.named) not in self._too_long_to_wait and job.waiting() > 2 * len(self.crew.members)
        return rank if may_wait and len(rank.chunks) < MOST_CHUNKS else None

    def _send(self, rank, chunk):
        job, named = chunk.job, chunk.job.call.named
        try:
            order = serving.wrapped(chunk.items)
        except Exception as error:
            self._put_back_one_by_one(chunk, error)
            return
        length = len(named) + sum(part.raw().nbytes for part in order)
        job.cost.weight = max(1.0, length / len(chunk.items))
        if length > MOST_AHEAD:
            self._too_long_to_wait.add(hash(named))
            if rank.chunks:
                self.calls.put_back(job, chunk.first, chunk.items)
                return
        rank.chunks.append(chunk)
        mpi.send((serving.WORK, job.call.how, job.most, named, order), rank.number, tag=serving.ORDERS)

    def _put_back_one_by_one(self, chunk, error):
        """One of its items cannot be pickled, and is found when each travels alone."""
        if len(chunk.items) == 1:
            self.calls.item_failed(chunk.job, chunk.first, error)
            return
        for index, item in reversed(list(enumerate(chunk.items, chunk.first))):
            self.calls.put_back(chunk.job, index, [item])

    def next_own_chunk(self, bench):
        """Puts items for rank 0 on its bench. They come and go as pickles here, too."""
        job = self._next_job()
        if job is None or not self.calls.begin(job):
            return None
        chunk = self.calls.next_chunk(job, 1 + len(self.crew.members))
        try:
            bench.take(job.call.named, serving.unwrapped(serving.wrapped(chunk.items)))
        except Exception as error:
            self._put_back_one_by_one(chunk, error)
            return None
        return chunk

    def patience(self):
        """Seconds until something is due that no message tells."""
        return FOREVER

    def end(self, error, spared=()):
        """Every call is over. Chunks that are under way are run to their ends, and forgotten."""
        self.calls.break_off_all(error, spared)
        self.reception.start_over()

    def forget(self):
        """In a forked child: the ranks are none of its business."""


class RankReception(Ledger):
    def __init__(self, crew, calls, next_own_chunk):
        super().__init__(crew, calls, None)
        self.broken = None  # why no call can be served
        self._next_own_chunk = next_own_chunk
        self._bench = serving.Bench()
        self._bell, self._poll = -1, select.poll()

    def is_closed(self):
        return self._closed

    def start_over(self):
        self._bench.clear()
        self._crew.here.chunks.clear()
        self._closed = True

    def watch_bell(self, fd):
        """step() returns each time that `fd`, an eventfd, is written to."""
        self._bell = fd
        self._poll.register(fd, select.POLLIN)

    def step(self, seconds):
        """Deals with what has come; where nothing has, runs items, or waits up to so many seconds."""
        if not self._receive(0) and not self._run_own():
            self._receive(-1 if seconds == FOREVER else max(1, int(seconds * 1000)))

    # ---- what other ranks answer -------------------------------------------------------------------------------

    def _receive(self, milliseconds):
        """Takes one message; False when there was none, and nobody rang."""
        if not _others:
            self._poll.poll(None if milliseconds < 0 else milliseconds)
            return self._has_rung()
        came, rank, _ = _core.ranks_receive(Parcel, -1, serving.ANSWERS, self._bell, milliseconds)
        if came is None:
            return self._has_rung()
        self._on_answer(_others[rank - 1], *unpack(came))
        return True

    def _has_rung(self):
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return False
        return True

    def _on_answer(self, rank, kind, body, count=0, seconds=0.0, finished=True):
        if kind == serving.FAILED_TO_START:
            self.broken = BrokenPool(f"Pool: the initializer failed on rank {rank.number}")
            self.broken.__cause__ = rebuilt(serving.unwrapped(body))
            self._calls.break_off_all(self.broken)
        elif kind == serving.NOT_LOADED:
            error = rebuilt(serving.unwrapped(body))
            count = len(rank.chunks[0].items)
            self.take(rank, [None] * count, [(position, error) for position in range(count)], 0.0, True)
        else:
            self._take_results(rank, body, count, seconds, finished)

    def _take_results(self, rank, body, count, seconds, finished):
        try:
            values, failures = serving.unwrapped(body)
        except Exception as error:  # its class refuses to be made here
            values, failures = [None] * count, [(position, error) for position in range(count)]
        else:
            failures = sorted((position, rebuilt(failure)) for position, failure in failures)
        self.take(rank, values, failures, seconds, finished)

    # ---- rank 0's own items ------------------------------------------------------------------------------------

    def _run_own(self):
        """Runs items for a moment; False when there are none."""
        here = self._crew.here
        if not here.chunks:
            chunk = self._next_own_chunk(self._bench)
            if chunk is None:
                return self._calls.head() is not None
            here.chunks.append(chunk)
        began, chunk = time.perf_counter(), here.chunks[0]
        results, failures = self._bench.run(chunk.job.call.how, chunk.job.most, SLICE_MS)
        if chunk.job.over:
            self._bench.clear()
        body, count = serving.wrapped_results(results, failures), len(results)
        self._take_results(here, body, count, time.perf_counter() - began, self._bench.is_empty())
        return True
