"""The ranks other than 0 in a pool: each waits for orders of rank 0, runs what comes, and ends with the program."""

import pickle
import sys
import time
import types

from libparmap import _core, mpi
from libparmap.pools.answers import described, replace_what_cannot_be_pickled

# The tags of what rank 0 wants and of what the others answer; a program's own messages are to keep below.
ORDERS, ANSWERS = 32767, 32766

START, WORK, END, RESULTS, NOT_LOADED, FAILED_TO_START = range(6)

ANSWER_MS = 100  # results do not wait longer than this for others of their chunk, the running item aside
MOST_FUNCTIONS = 256  # kept by name


def wrapped(value):
    """A pickle inside a message, so that what holds it arrives though the value cannot be made again."""
    buffers = []
    stream = pickle.dumps(value, 5, buffer_callback=buffers.append)
    return [pickle.PickleBuffer(stream), *buffers]


def unwrapped(parts):
    return pickle.loads(parts[0], buffers=parts[1:])


def wrapped_results(results, failures):
    try:
        return wrapped((results, failures))
    except Exception:
        replace_what_cannot_be_pickled(results, failures)
        return wrapped((results, failures))


def serve():
    """Never returns: it ends this rank's program when that of rank 0 ends."""
    bench = Bench()
    while True:
        kind, *order = mpi.receive(0, tag=ORDERS)
        if kind == END:
            sys.exit(0)
        if kind == START:
            _start(*order)
        else:
            _work(bench, *order)
        _flush()


def _start(order):
    try:
        initializer, initargs = unwrapped(order)
        initializer(*initargs)
    except Exception as error:
        mpi.send((FAILED_TO_START, wrapped(described(error))), 0, tag=ANSWERS)


def _work(bench, how, most, named, order):
    try:
        bench.take(named, unwrapped(order))
    except Exception as error:
        mpi.send((NOT_LOADED, wrapped(described(error))), 0, tag=ANSWERS)
        return
    while not bench.is_empty():
        began = time.perf_counter()
        results, failures = bench.run(how, most, ANSWER_MS)
        body, count = wrapped_results(results, failures), len(results)
        seconds = time.perf_counter() - began
        mpi.send((RESULTS, body, count, seconds, bench.is_empty()), 0, tag=ANSWERS)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


class Bench:
    """Where one chunk lies while its items are run."""

    def __init__(self):
        self._board = bytearray(64)  # see src/board.c; nobody but this rank looks at it
        self._functions = {}
        self.clear()

    def clear(self):
        self._function = self._items = None

    def is_empty(self):
        return self._items is None

    def take(self, named, items):
        function = self._functions.get(named)
        if function is None:
            function = pickle.loads(named)
            # What holds a state of its own begins with it in each chunk, and may be large.
            if isinstance(function, (types.FunctionType, types.BuiltinFunctionType, type)):
                if len(self._functions) == MOST_FUNCTIONS:
                    self._functions.clear()
                self._functions[named] = function
        _core.board_open(self._board, 0, len(items))
        self._function, self._items = function, items

    def run(self, how, most, milliseconds):
        """Runs items until `most` (0: any number) are done, or so much time has passed."""
        results, failures = [], []
        most = most or sys.maxsize
        until = time.monotonic() + milliseconds / 1000
        going_on = True
        while going_on:
            try:
                if _core.run_items(self._function, self._items, how, self._board, 0, results, most, milliseconds):
                    self.clear()
                going_on = False
            except (Exception, SystemExit) as error:
                failures.append((len(results), described(error)))
                results.append(None)
                going_on = len(results) < most and time.monotonic() < until
        return results, failures
