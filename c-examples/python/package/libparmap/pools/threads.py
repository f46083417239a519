"""Worker threads in the place of worker processes: for C functions, which let go of the GIL, and for Python without
a GIL. Nothing is pickled, and nothing can be ended while it runs."""

import errno
import queue
import select
import sys
import threading
import time

from libparmap import _core
from libparmap.pools.board import BoardCrew, BoardWorker, slots_of
from libparmap.pools.errors import BrokenPool
from libparmap.pools.ledger import Ledger

FLUSH_MS = 100
FOREVER = float("inf")


class ThreadWorker(BoardWorker):
    def __init__(self, seat):
        super().__init__(seat, FOREVER)  # it sees every function that there is
        self.given = queue.SimpleQueue()

    def kill(self, at=None):
        """A thread cannot be ended; it goes on with its item, and nobody wants the result."""


class ThreadCrew(BoardCrew):
    def __init__(self, most, initializer, initargs):
        self.ring = None
        self._begin(most, initializer, initargs)

    def _begin(self, most, initializer, initargs):
        super().__init__(most, initializer, initargs, memory=bytearray)
        self.said = queue.SimpleQueue()  # functions for the reception to call

    def hire(self):
        worker = ThreadWorker(self._seats[-1])
        arguments = (worker, self.said, self.board)
        thread = threading.Thread(target=self._live, args=arguments, name="libparmap-worker", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system refuses it, as it may refuse a process
            raise OSError(errno.EAGAIN, str(error)) from error
        self._seats.pop()
        self.members.append(worker)
        return worker

    def send(self, worker, chunk):
        self.give(worker, chunk)
        worker.given.put(chunk)

    def dismiss(self, worker):
        worker.usable = False
        worker.given.put(None)
        self.members.remove(worker)
        self._seats.append(worker.seat)

    def end(self):
        """Items that run are run to their end, and that is all."""
        for worker in list(self.members):
            for chunk in worker.chunks:
                self.take_back(worker, chunk, chunk.end)
            worker.given.put(None)
        self._begin(self.most, self._initializer, self._initargs)

    def forget(self):
        self.members = []

    # ---- on the worker's thread --------------------------------------------------------------------------------

    def _live(self, worker, said, board):
        def say(method, *arguments):
            said.put((method, arguments))
            self.ring()

        if self._initializer is not None:
            try:
                self._initializer(*self._initargs)
            except BaseException as error:
                say("no_start", worker, error)
                return
        while (chunk := worker.given.get()) is not None:
            self._run(worker, chunk, board, say)
            del chunk

    def _run(self, worker, chunk, board, say):
        call, slot = chunk.job.call, slots_of(worker.seat)[chunk.seq & 1]
        most = chunk.job.most or sys.maxsize
        finished = False
        while not finished:
            begin = time.perf_counter()
            results, failures = [], []
            try:
                finished = _core.run_items(call.function, chunk.items, call.how, board, slot, results, most, FLUSH_MS)
            except BaseException as error:
                failures.append((len(results), error))
                results.append(None)
            if results or finished:
                say("take", worker, results, failures, time.perf_counter() - begin, finished)


class ThreadReception(Ledger):
    def __init__(self, crew, calls, maxtasks):
        super().__init__(crew, calls, None)
        self._epoll = select.epoll()

    def watch_bell(self, fd):
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)

    def greet(self, worker):
        pass

    def flush(self, worker):
        pass

    def step(self, seconds):
        if self._crew.said.empty():
            self._epoll.poll(None if seconds == FOREVER else seconds)
        while not self._crew.said.empty():
            method, arguments = self._crew.said.get()
            getattr(self, method)(*arguments)

    def no_start(self, worker, cause):
        self._crew.dismiss(worker)
        error = BrokenPool("Pool: the initializer failed in a worker thread")
        error.__cause__ = cause
        self._calls.break_off_all(error)

    def watch_time_limits(self):
        return FOREVER

    def start_over(self):
        pass

    def forget(self):
        self._epoll.close()
