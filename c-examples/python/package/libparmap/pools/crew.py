"""The worker processes of a pool, seen from their parent: forking them, ending them, and learning how they ended."""

import mmap
import os
import select
import signal
import socket
import time
from multiprocessing import process

from libparmap import _core
from libparmap.pools import child, importing, wire
from libparmap.pools.board import BoardCrew, BoardWorker, slots_of
from libparmap.pools.jobs import defined_in_main

TERM_SECONDS = 0.5  # for workers that catch SIGTERM, before SIGKILL
LOOK_AGAIN = 5e-3  # seconds, at a worker for which there is no pidfd


class Worker(BoardWorker):
    def __init__(self, pid, sock, lifeline, seat, generation):
        super().__init__(seat, generation)
        self.pid, self.sock = pid, sock
        self._lifeline = lifeline  # the worker dies once this is closed, in whatever way
        self.inbox, self.outbox = wire.Inbox(sock), wire.Outbox(sock)
        self.is_full = False  # does its socket take no more for now?
        self.ended_at = None  # the chunk and the items begun when the pool ended it for that
        self.known = ()  # held while it lives: the address of what it knows becomes nobody else's
        try:
            self.pidfd = _core.Descriptor(os.pidfd_open(pid))
        except OSError:  # no descriptor is left, or the kernel has none: the end of its stream must do
            self.pidfd = None

    def kill(self, at=None):
        """`at`: the chunk, and how many of its items were begun, that it is ended for; by now it may be past that."""
        self.usable, self.ended_at = False, self.ended_at or at
        _send_signal(signal.SIGKILL, self.pid, self.pidfd)

    def close(self):
        """Closes what the parent holds of it; an idle worker then goes by itself, a busy one is killed."""
        self.sock.close()
        self._lifeline.close()
        if self.pidfd is not None:
            self.pidfd.close()


class Crew(BoardCrew):
    def __init__(self, most, initializer, initargs):
        super().__init__(most, initializer, initargs, memory=lambda size: mmap.mmap(-1, size))
        self._pids = []

    def send(self, worker, chunk):
        """Sends a chunk as far as it can be sent at once; raises what pickling its items raises."""
        job = chunk.job
        body = wire.Body(chunk.items, job.call.named or b"")
        job.cost.weight = max(1.0, body.weight / len(chunk.items))
        self.give(worker, chunk)
        worker.outbox.put(*wire.packed(wire.WORK, body, job.call.how, chunk.seq, chunk.end, job.most, job.call.key))

    def hire(self):
        """A new worker, forked from the caller as it is now."""
        importing.wait_for_others()
        child.flush()  # or the worker would print once more what waits there
        start = child.Start()
        start.board, start.inherited = self.board, self.inherited
        start.initializer, start.initargs = self._initializer, self._initargs
        seat = self._seats[-1]
        start.slots = slots_of(seat)
        start.number = next(process._process_counter)
        known = defined_in_main()
        ours, start.sock = socket.socketpair()
        with start.sock:
            try:
                start.lifeline, lifeline = map(_core.Descriptor, os.pipe())
                start.parents = (ours, lifeline)
                pid = _core.fork(self._pids)
            except OSError:
                ours.close()
                raise
            if pid == 0:
                child.live(start)
        start.lifeline.close()
        self._seats.pop()
        worker = Worker(pid, ours, lifeline, seat, self.generation)
        worker.ready, worker.known = self._initializer is None, known
        self.members.append(worker)
        return worker

    def dismiss(self, worker):
        """It has nothing to do and gets nothing more: it ends by itself."""
        worker.usable = False
        try:
            worker.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has ended already
            pass
        self.members.remove(worker)
        self.leaving.append(worker)

    def bury(self, worker):
        """Reaps a worker that has ended, and returns its status, None where that is not known."""
        status = self._reaped(worker)
        self._pids.remove(worker.pid)
        (self.members if worker in self.members else self.leaving).remove(worker)
        self._seats.append(worker.seat)
        worker.close()
        return status

    def _reaped(self, worker):
        try:
            return os.waitpid(worker.pid, 0)[1]
        except ChildProcessError:
            # The program ignores SIGCHLD, or waits for whatever child ends.
            return None if worker.pidfd is None else _core.status_after_reaping(worker.pidfd.fd)

    def end(self):
        """Ends and reaps all workers, whatever they do, and starts anew; right after an interruption, too."""
        pidfds = {worker.pid: worker.pidfd for worker in self.members + self.leaving}
        for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, None)):
            for pid in self._pids:
                _send_signal(number, pid, pidfds.get(pid))
            self._wait(seconds, pidfds)
        for worker in self.members + self.leaving:
            worker.close()
        self.__init__(self.most, self._initializer, self._initargs)

    def _wait(self, seconds, pidfds):
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._pids:
            pid = self._pids[-1]
            if deadline is not None and not _ends_before(deadline, pid, pidfds.get(pid)):
                return
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
            self._pids.remove(pid)

    def forget(self):
        """In a forked child: these workers are not its own."""
        for worker in self.members + self.leaving:
            worker.close()
        self.members, self.leaving, self._pids = [], [], []


def _send_signal(number, pid, pidfd):
    """To a worker that may have ended, and been reaped by something else: its number may be a stranger's by now."""
    try:
        if pidfd is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(pidfd.fd, number)
    except ProcessLookupError:
        pass


def _ends_before(deadline, pid, pidfd):
    """Waits for the end of a child, which is not reaped, until a deadline."""
    if pidfd is not None:
        poll = select.poll()
        poll.register(pidfd.fd, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
    try:
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_AGAIN)
    except ChildProcessError:
        pass
    return True
