"""Who gets which items: hands them to workers, forks workers where that is worth it, and takes items back from the
busy for the idle.

One thread at a time drives it (driver.py sees to that), so there are no locks here.
"""

import time
import warnings

from libparmap.pools import wire
from libparmap.pools.calls import Calls

WORTH_A_WORKER = 500e-6  # seconds of waiting work for which one more is forked
WORTH_TAKING_BACK = 200e-6
STUCK_MS = 10  # nothing waits behind an item that takes longer if it can be elsewhere, however short it is itself
LOOK_AGAIN = 2e-3  # seconds, while someone idles and items wait at somebody else
HIRE_AGAIN = 1.0  # seconds after the system refused a process


class Dispatcher:
    def __init__(self, crew, reception, processes, maxtasks):
        self.crew = crew
        self.calls = Calls(self.crew)
        self.reception = reception(self.crew, self.calls, maxtasks)
        self._processes, self._maxtasks = processes, maxtasks
        self._refused_until = 0.0

    # ---- handing out -------------------------------------------------------------------------------------------

    def hand_out(self):
        """Gives work to whoever can take some; True when it wants to go on at once."""
        while (job := self.calls.head()) is not None:
            worker = self._member_for(job)
            hired = worker is None
            if hired:
                worker = self._hire_for(job)
            if worker is None:
                return False
            if self.calls.begin(job):
                self._send(worker, self.calls.next_chunk(job, self._processes))
            if hired:  # a fork takes time, in which others may have finished
                return True
        self.reception.dismiss_if_closed()
        return self._take_back()

    def _member_for(self, job):
        fit = self._fit_for(job)
        idle = [one for one in fit if not one.chunks]
        if idle:
            return max(idle, key=lambda one: (one.ready, one.used))
        if self._can_hire() and self._is_worth_a_worker(job):
            return None
        if job.may_queue() and self._maxtasks is None:
            return next((one for one in fit if self._may_queue_at(one)), None)
        return None

    def _may_queue_at(self, worker):
        return len(worker.chunks) == 1 and worker.chunks[0].job.may_queue() and not self._is_stuck(worker)

    def _is_stuck(self, worker):
        """Has it been at one item, at loading some or at starting for long?"""
        begun, _, ms, ended = self.crew.look(worker, worker.chunks[0])
        if 0 < begun == ended:  # its results are on their way
            return False
        return (ms or (time.monotonic() - worker.used) * 1000) > STUCK_MS

    def _fit_for(self, job):
        return [one for one in self.crew.members if one.usable and one.generation >= job.generation]

    def _send(self, worker, chunk):
        try:
            self.crew.send(worker, chunk)
        except Exception as error:
            self._send_what_can_be_pickled(chunk, error)
        else:
            self.reception.flush(worker)

    def _send_what_can_be_pickled(self, chunk, error):
        if len(chunk.items) == 1:
            self.calls.item_failed(chunk.job, chunk.first, error)
            return
        for index, item in enumerate(chunk.items, chunk.first):
            try:
                wire.dump([item])
            except Exception as reason:
                self.calls.item_failed(chunk.job, index, reason)
            else:
                self.calls.put_back(chunk.job, index, [item])

    # ---- hiring ------------------------------------------------------------------------------------------------

    def hire(self):
        worker = self.crew.hire()
        self.reception.greet(worker)
        return worker

    def hire_all(self):
        """Starts all workers now, not when there is work for them; as many as the system allows."""
        try:
            while self._can_hire():
                self.hire()
        except OSError as error:
            if self.crew.members:
                self._hire_refused(error)

    def _can_hire(self):
        return self.crew.can_hire() and time.monotonic() >= self._refused_until

    def _is_worth_a_worker(self, job):
        seconds = job.cost.seconds
        if seconds is None or job.waiting() * seconds > WORTH_A_WORKER:
            return True
        # What takes no time itself may be what those that are stuck wait for.
        return all(map(self._is_stuck, self._fit_for(job)))

    def _hire_for(self, job):
        if not self._is_worth_a_worker(job):
            return None
        if not self.crew.can_hire():
            self._make_room(job)
        if not self._can_hire():
            return None
        try:
            return self.hire()
        except OSError as error:
            if not self._fit_for(job):  # none of those that are there will ever do
                self._make_room(job)
            self._hire_refused(error)
            return None

    def _make_room(self, job):
        """A worker of an older image goes for one of the image that the job needs."""
        for worker in self.crew.members:
            if worker.usable and worker.generation < job.generation and not worker.chunks:
                self.crew.dismiss(worker)
                return

    def _hire_refused(self, error):
        """Fewer workers do; none is an error."""
        members, reason = len(self.crew.members), error.strerror or error
        if members:
            self._refused_until = time.monotonic() + HIRE_AGAIN
            warnings.warn(f"Pool: {members} of {self._processes} workers must do, the system refuses more: {reason}",
                          RuntimeWarning, stacklevel=2)  # fmt: skip
        elif not self.crew.leaving:
            self.calls.break_off_all(OSError(error.errno, f"Pool: no worker could be started: {reason}"))

    # ---- taking back -------------------------------------------------------------------------------------------

    def _take_back(self):
        """Half of what waits at the busiest worker, when another has nothing to do; True when it took some."""
        if not self._may_take_back():
            return False
        worth, worker, chunk, left = max(self._to_be_had(), key=lambda one: one[0], default=(0, None, None, 0))
        if worth < WORTH_TAKING_BACK:
            return False
        seconds = chunk.job.cost.seconds
        if seconds is not None and worth > 2 * left * seconds and self.crew.look(worker, chunk)[0]:
            # It is stuck in an item that takes far longer than those before, and so may the next.
            chunk.job.cost.learn(worth / left, 1)
        before, chunk.end = chunk.end, self.crew.take_back(worker, chunk, left - left // 2)
        self.calls.put_back(chunk.job, chunk.first + chunk.end, chunk.items[chunk.end : before], chunk.tries)
        return chunk.end < before

    def _may_take_back(self):
        if self._maxtasks is not None:  # items handed over twice would count as two tasks
            return False
        return self._can_hire() or any(one.usable and not one.chunks for one in self.crew.members)

    def _to_be_had(self):
        """(seconds, worker, chunk, items) for all that is handed out and not begun.

        Of what a worker may be loading one stays, to take the blame should it die of that: else an item that kills whoever
        is sent it could go from one to the other for ever. One that is still in its initializer loads nothing, but may lose
        that item only to one with which it would stay.
        """
        for worker, position, chunk in self.crew.handed_out():
            begun, end, *_ = self.crew.look(worker, chunk)
            stays = position == 0 and (worker.ready or not self._is_one_ready_for(chunk.job))
            left = end - max(begun, stays)
            if left <= 0 or chunk.job.over:
                continue
            seconds = chunk.job.cost.seconds
            if seconds is None or self._is_stuck(worker):
                seconds = time.monotonic() - chunk.sent
            yield left * seconds, worker, chunk, left

    def _is_one_ready_for(self, job):
        return any(one.ready and not one.chunks for one in self._fit_for(job))

    # ---- waiting -----------------------------------------------------------------------------------------------

    def patience(self):
        """Seconds until something is due that no descriptor tells."""
        seconds = self.reception.watch_time_limits()
        if time.monotonic() < self._refused_until:
            seconds = min(seconds, HIRE_AGAIN)
        waits = self._can_hire() and self.calls.head() is not None  # for one to be free, unless all are stuck
        if waits or self._may_take_back() and next(self._to_be_had(), None) is not None:
            seconds = min(seconds, LOOK_AGAIN)
        return seconds

    # ---- the end -----------------------------------------------------------------------------------------------

    def end(self, error, spared=()):
        """Every call is over, every worker gone; what comes next starts anew."""
        self.calls.start_over(error, spared)
        self.crew.end()
        self.reception.start_over()

    def forget(self):
        """In a forked child."""
        self.crew.forget()
        self.reception.forget()
