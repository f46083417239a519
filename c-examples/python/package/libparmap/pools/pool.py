"""Pool: multiprocessing.Pool, method by method, without its traps."""

import operator
import os
import threading
import warnings

from libparmap import _core, mpi
from libparmap.pools.errors import BrokenPool
from libparmap.pools.feed import Feed
from libparmap.pools.jobs import Call, Job
from libparmap.pools.outcomes import AsyncResult, IMapIterator, IMapUnorderedIterator, MapResult
from libparmap.pools.sides import ProcessSide, ThreadSide, is_c_function, is_without_gil
from libparmap.progress import reporter

ONE_ARGUMENT, MANY_ARGUMENTS, WITH_KEYWORDS = range(3)  # as in src/board.c

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"
TICK = 0.05  # seconds between two calls of a progress function
SLICED = (list, tuple, range)  # iterables of which parts can be taken without side effects


class Pool:
    """A pool of worker processes with the methods of multiprocessing.Pool; importing it from here is the whole port.

    processes         how many workers; by default as many as this process may use CPUs
    initializer       called with *initargs in each worker when it starts; where it raises, calls raise BrokenPool
    maxtasksperchild  a worker is replaced after so many tasks
    executor          "processes"; "threads"; "mpi": the ranks of an MPI program; "auto": threads for C functions of
                      ctypes and cffi, and for all functions where Python runs without the GIL, otherwise processes
    on_crash          what a worker's death means for its call: "raise" BrokenPool, or "continue" with the exception as
                      the result of the item that the worker died of

    Functions and arguments are pickled. A function that cannot be, such as a lambda or a local function, is found by
    workers forked anew for the call; the initializer then runs again. Every item of a map runs, then the exception of
    the lowest that failed is raised, with the worker's traceback as its cause. Items whose worker died before it could
    send their results run again. Any thread may call at any time.
    """

    _warns = True  # when it is forgotten without having been closed

    def __init__(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, *,
                 executor="auto", on_crash="raise"):  # fmt: skip
        self._state = TERMINATE  # until there is something to be closed
        if processes is None:
            processes = mpi.size() if executor == "mpi" else _core.cpu_count()
        processes = whole_number("Pool: processes", processes)
        if processes < 1:
            raise ValueError(f"Pool: processes is {processes}: the number of processes must be at least 1")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError(f"Pool: maxtasksperchild is {maxtasksperchild!r}: it must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError(f"Pool: initializer is {initializer!r}: it must be a callable")
        if on_crash not in ("raise", "continue"):
            raise ValueError(f'Pool: on_crash is {on_crash!r}: pass "raise" or "continue"')
        if executor not in ("auto", "processes", "threads", "mpi"):
            raise ValueError(f'Pool: executor is {executor!r}: pass "auto", "processes", "threads" or "mpi"')
        if executor == "mpi" and on_crash != "raise":
            raise ValueError(f"Pool: on_crash is {on_crash!r}, but a program ends with any of its ranks: leave it out")
        if executor == "auto" and is_without_gil():
            executor = "threads"
        self._processes, self._maxtasks, self._goes_on = processes, maxtasksperchild, on_crash == "continue"
        self._executor, self._initial = executor, (processes, initializer, tuple(initargs), maxtasksperchild)
        self._sides, self._lock = {}, threading.Lock()
        if executor == "mpi":
            # Beside the others' import of this module, which need no MPI. On ranks other than 0 it never returns.
            from libparmap.pools.ranks import RankSide

            self._sides["mpi"] = RankSide(*self._initial)
        self._owner = os.getpid()
        self._state = RUN
        if initializer is not None:
            self._side(None).hire_all()

    def _side(self, func):
        """Where a function runs. C functions need no processes, unless processes are asked for."""
        if self._executor == "mpi":
            return self._sides["mpi"]
        on_threads = self._executor == "threads" or self._executor == "auto" and is_c_function(func)
        name = "threads" if on_threads else "processes"
        with self._lock:
            if name not in self._sides:
                self._sides[name] = (ThreadSide if on_threads else ProcessSide)(*self._initial)
            return self._sides[name]

    # ---- calls that wait ---------------------------------------------------------------------------------------

    def apply(self, func, args=(), kwds={}):
        """func(*args, **kwds), in a worker."""
        return self._get(*self._apply(func, args, kwds))

    def map(self, func, iterable, chunksize=None, *, timeout=None, progress=None):
        """[func(item) for item in iterable], in parallel.

        chunksize  items that a worker is sent at once; by default as many as their cost suggests
        timeout    seconds for each single item, and as many for loading it in its worker; one that takes longer fails with
                   ItemTimeout, and its worker is ended
        progress   True for a bar on stderr, or a function called with (done, total) on the calling thread
        """
        return self._map(func, iterable, ONE_ARGUMENT, chunksize, timeout, progress)

    def starmap(self, func, iterable, chunksize=None, *, timeout=None, progress=None):
        """[func(*item) for item in iterable], in parallel."""
        return self._map(func, iterable, MANY_ARGUMENTS, chunksize, timeout, progress)

    # ---- calls that do not -------------------------------------------------------------------------------------

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None, *, timeout=None):
        """apply, as an AsyncResult at once. Callbacks are called on a thread of the pool's before get() returns."""
        return self._apply(func, args, kwds, callback, error_callback, timeout, background=True)[-1]

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None, *, timeout=None):
        """map, as an AsyncResult at once."""
        return self._map_async(func, iterable, ONE_ARGUMENT, chunksize, callback, error_callback, timeout)

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None, *, timeout=None):
        """starmap, as an AsyncResult at once."""
        return self._map_async(func, iterable, MANY_ARGUMENTS, chunksize, callback, error_callback, timeout)

    def imap(self, func, iterable, chunksize=1, *, timeout=None):
        """The results in the order of the items, each as soon as it is there; items are drawn as workers want them."""
        return self._imap(IMapIterator, func, iterable, chunksize, timeout)

    def imap_unordered(self, func, iterable, chunksize=1, *, timeout=None):
        """The results in the order in which they come."""
        return self._imap(IMapUnorderedIterator, func, iterable, chunksize, timeout)

    # ---- their common part -------------------------------------------------------------------------------------

    def _apply(self, func, args, kwds, callback=None, error_callback=None, timeout=None, background=False):
        side = self._side(func)
        result = AsyncResult(self, side.driver, callback, error_callback)
        items = [(tuple(args), dict(kwds))]
        job = self._submit(side, func, WITH_KEYWORDS, result, items, None, timeout, background=background)
        return side, job, result

    def _map(self, func, iterable, how, chunksize, timeout, progress):
        items, side = _sliceable(iterable), self._side(func)
        result = MapResult(self, side.driver, len(items))
        job = self._submit(side, func, how, result, items, chunksize, timeout)
        return self._get(side, job, result, progress, len(items))

    def _map_async(self, func, iterable, how, chunksize, callback, error_callback, timeout):
        items, side = _sliceable(iterable), self._side(func)
        result = MapResult(self, side.driver, len(items), callback, error_callback)
        self._submit(side, func, how, result, items, chunksize, timeout, background=True)
        return result

    def _imap(self, kind, func, iterable, chunksize, timeout):
        _check_chunksize(chunksize)
        side = self._side(func)
        iterator = kind(self, side.driver)
        items, feed = iterable, None
        if type(iterable) not in SLICED:
            items, feed = None, Feed(iterable, side.driver.ring, 2 * self._processes * chunksize)
        self._submit(side, func, ONE_ARGUMENT, iterator, items, chunksize if chunksize > 1 else None, timeout,
                     feed=feed, most=chunksize, background=True)  # fmt: skip
        if feed is not None:
            feed.start()
        return iterator

    def _submit(self, side, func, how, outcome, items, chunksize, timeout, feed=None, most=0, background=False):
        self._check_running()
        _check_timeout(timeout)
        if timeout is not None and not side.can_end_items:
            raise ValueError(f"Pool: timeout is {timeout}, but a thread cannot be ended amid an item: "
                             'pass executor="processes"')  # fmt: skip
        if chunksize is not None:
            _check_chunksize(chunksize)
        elif self._maxtasks is not None and items is not None:
            # A task is a chunk, and of the length that it has in multiprocessing.
            chunksize = max(1, -(-len(items) // (4 * self._processes)))
        job = Job(Call(func, how), outcome, items, feed, timeout, most, chunksize, self._goes_on)
        side.driver.submit(job, background)
        return job

    def _get(self, side, job, result, progress=None, n=0):
        try:
            with reporter(progress, "Pool") as report:
                if report is not None:
                    side.driver.wait(result.ready, None, lambda: report(result.done, n), TICK)
                    report(result.done, n)
                return result.get()
        finally:
            if not result.ready():
                side.driver.order(lambda: side.calls.cancel(job, BrokenPool("Pool: the call was interrupted")))

    def _check_running(self):
        if self._state != RUN:
            raise ValueError("Pool not running: it was closed or terminated, make a new one")

    # ---- the end -----------------------------------------------------------------------------------------------

    def close(self):
        """No more calls; workers go when the last one is done."""
        if self._state == RUN:
            self._state = CLOSE
            for side in self._sides.values():
                side.close()

    def terminate(self):
        """Ends all workers now. Calls that are not finished raise BrokenPool."""
        self._state = TERMINATE
        for side in self._sides.values():
            side.driver.end("Pool: terminated before the call was finished")

    def join(self):
        """Waits until all workers are gone; close() or terminate() comes first."""
        if self._state == RUN:
            raise ValueError("Pool is still running: call close() or terminate() first")
        for side in self._sides.values():
            side.join()

    def __enter__(self):
        self._check_running()
        return self

    def __exit__(self, kind, value, traceback):
        self.terminate()

    def __reduce__(self):
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __repr__(self):
        kind = type(self)
        return f"<{kind.__module__}.{kind.__qualname__} state={self._state} pool_size={self._processes}>"

    def __del__(self):
        if self._state == RUN and self._owner == os.getpid():
            if self._warns:
                warnings.warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self)
            self._state = TERMINATE
            for side in self._sides.values():
                side.driver.abandon()


def _sliceable(iterable):
    """The items, as something of which parts can be taken."""
    if type(iterable) in SLICED or type(iterable).__module__ == "numpy" and getattr(iterable, "ndim", 0) > 0:
        return iterable
    return list(iterable)


def whole_number(what, value):
    """The value as an int, be it NumPy's; as multiprocessing would take it."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {value!r}: pass a whole number from 1, or None") from None


def _check_timeout(timeout):
    try:
        if timeout is None or timeout > 0:
            return
    except TypeError:
        raise TypeError(f"Pool: timeout is {timeout!r}: pass seconds, or None") from None
    raise ValueError(f"Pool: timeout is {timeout}: pass seconds above 0, or None")


def _check_chunksize(chunksize):
    if chunksize < 1:
        raise ValueError(f"Pool: chunksize is {chunksize}: Chunksize must be 1+")
