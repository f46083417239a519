"""Executor: a Pool behind the interface of concurrent.futures."""

import itertools
import os
import sys
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Executor as BaseExecutor
from concurrent.futures import Future
from multiprocessing import TimeoutError as PoolTimeoutError

from libparmap.pools.errors import BrokenPool
from libparmap.pools.outcomes import IMapIterator, Outcome
from libparmap.pools.pool import MANY_ARGUMENTS, WITH_KEYWORDS, Pool, whole_number

_executors = weakref.WeakSet()


class FutureOutcome(Outcome):
    """Hands the outcome of a submitted call to its Future, on the service thread: a Future calls functions back."""

    def __init__(self, pool, driver, future):
        self._pool, self._driver, self._future = pool, driver, future

    def is_cancelled(self):
        return self._future.cancelled()

    def may_begin(self):
        return self._future.set_running_or_notify_cancel()

    def put(self, first, values):
        self._call_back(lambda: self._future.set_result(values[0]))

    def put_failure(self, index, error):
        self._call_back(lambda: self._future.set_exception(error))

    def break_off(self, error):
        self._call_back(lambda: self._break_off(error))

    def _break_off(self, error):
        if self._future.done():
            return
        if self._future.running() or self._future.set_running_or_notify_cancel():
            self._future.set_exception(error)

    def _call_back(self, call):
        self._driver.call_back(call)


class Executor(BaseExecutor):
    """A concurrent.futures.Executor over a Pool, whose options it has. A dead worker breaks the futures that it ran,
    and no others: the executor lives on."""

    def __init__(self, max_workers=None, initializer=None, initargs=(), *, max_tasks_per_child=None,
                 executor="auto", on_crash="raise"):  # fmt: skip
        if max_workers is not None and whole_number("Executor: max_workers", max_workers) < 1:
            raise ValueError(f"Executor: max_workers is {max_workers}: it must be greater than 0")
        self._pool = Pool(max_workers, initializer, initargs, max_tasks_per_child, executor=executor, on_crash=on_crash)
        self._pool._warns = False  # an Executor that nobody refers to any more ends quietly
        self._lock = threading.Lock()
        self._is_shut_down = False
        self._futures = weakref.WeakSet()
        _executors.add(self)

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        with self._lock:
            self._check_open()
            self._futures.add(future)
            side = self._pool._side(fn)
            outcome = FutureOutcome(self._pool, side.driver, future)
            self._pool._submit(side, fn, WITH_KEYWORDS, outcome, [(args, kwargs)], None, None, background=True)
        return future

    def map(self, fn, *iterables, timeout=None, chunksize=1, buffersize=None):
        if chunksize < 1:
            raise ValueError(f"Executor.map: chunksize is {chunksize}: it must be >= 1")
        deadline = None if timeout is None else time.monotonic() + timeout
        if buffersize is not None:
            if buffersize < 1:
                raise ValueError(f"Executor.map: buffersize is {buffersize}: it must be None or > 0")
            arguments = zip(*iterables)
            waiting = deque(self.submit(fn, *one) for one in itertools.islice(arguments, buffersize))
            return _bounded(self, fn, arguments, waiting, deadline)
        with self._lock:
            self._check_open()
            side = self._pool._side(fn)
            iterator = IMapIterator(self._pool, side.driver)
            items, at_once = list(zip(*iterables)), chunksize if chunksize > 1 else None
            job = self._pool._submit(side, fn, MANY_ARGUMENTS, iterator, items, at_once, None, most=chunksize,
                                     background=True)  # fmt: skip
        return _results(side, job, iterator, deadline)

    def shutdown(self, wait=True, *, cancel_futures=False):
        with self._lock:
            self._is_shut_down = True
        if cancel_futures:
            for future in list(self._futures):
                future.cancel()
        self._pool.close()
        if wait:
            self._pool.join()

    def terminate(self):
        """Ends the workers at once; futures that are not done fail with BrokenPool."""
        with self._lock:
            self._is_shut_down = True
        self._pool.terminate()
        self._pool.join()

    def __exit__(self, kind, value, traceback):
        """Ctrl-C ends what runs; that of concurrent.futures goes to its workers as well, and would do so there."""
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.terminate()
            return False
        return super().__exit__(kind, value, traceback)

    def _check_open(self):
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")


def _results(side, job, iterator, deadline):
    """What map returns: results in order, and what is left is cancelled when nobody wants more of them."""
    try:
        while True:
            try:
                yield iterator.next(_rest(deadline))
            except StopIteration:
                return
            except PoolTimeoutError:
                raise TimeoutError from None
    finally:
        if not job.over:
            unwanted = BrokenPool("Executor.map: its results are not wanted any more")
            side.driver.order(lambda: side.calls.break_off(job, unwanted))


def _bounded(executor, fn, arguments, waiting, deadline):
    """What map returns when only so many calls may be submitted before their results are taken."""
    while waiting:
        yield waiting.popleft().result(_rest(deadline))
        waiting.extend(executor.submit(fn, *one) for one in itertools.islice(arguments, 1))


def _rest(deadline):
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _finish_all():
    """At the end of the program, before daemon threads are stopped: what was submitted is still done, unless a Ctrl-C that
    nobody caught is what ends the program."""
    interrupted = not hasattr(sys, "ps1") and issubclass(getattr(sys, "last_type", None) or object, KeyboardInterrupt)
    for executor in list(_executors):
        if executor._pool._owner == os.getpid():
            executor.terminate() if interrupted else executor.shutdown()


threading._register_atexit(_finish_all)
