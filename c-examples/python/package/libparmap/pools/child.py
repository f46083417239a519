"""What runs in a worker: it reads work from its socket, runs it, and answers, until its pool is gone."""

import fcntl
import gc
import itertools
import os
import pickle
import signal
import sys
import time
import traceback
from multiprocessing import process, util

from libparmap import _core
from libparmap.pools import importing, wire
from libparmap.pools.answers import described, encoded

FLUSH_MS = 100  # results do not wait longer than this for others of their chunk, the running item aside
MOST_WEIGHT = 16 << 20  # bytes of results in one answer, as far as earlier ones tell
MOST_FUNCTIONS = 256  # kept by name

# Held: where this worker's pool was made in a worker, its /dev/null would warn on its way out that nobody closed it.
_stdins_before = []


class Start:
    """All that a worker is born with."""

    __slots__ = ("sock", "lifeline", "board", "slots", "initializer", "initargs", "inherited", "number", "parents")


def live(start):
    """Never returns: whatever happens, this process must not go on with its parent's program."""
    code = 1
    try:
        _settle(start)
        code = _serve(Worker(start), start)
    except SystemExit as error:
        code = _exit_code(error)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            util._exit_function()
            flush()
        finally:
            os._exit(code)


def _exit_code(error):
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _serve(worker, start):
    if start.initializer is not None:
        try:
            start.initializer(*start.initargs)
        except BaseException as error:
            worker.answer(wire.FAILED_TO_START, wire.Body(described(error)))
            return 1
        worker.answer(wire.READY, None)
        start.initializer = start.initargs = None
    while (message := worker.next_message()) is not None:
        worker.work(message)
    return 0


# ---- becoming a worker ------------------------------------------------------------------------------------------


def _settle(start):
    for end in start.parents:
        end.close()
    importing.forget_others()
    # What is there stays: collecting it would only copy the pages shared with the parent.
    gc.freeze()
    _die_with_the_parent(start.lifeline)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Ctrl-C is the parent's affair. A handler, not SIG_IGN, which commands started by an item would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    _introduce_to_multiprocessing(start.number)
    _stdins_before.append(sys.stdin)
    sys.stdin = open(os.devnull)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _die_with_the_parent(lifeline):
    """The kernel kills this process once the other end of a pipe is gone, whatever it computes at that time.

    PR_SET_PDEATHSIG would do so when the thread ends that happened to fork.
    """
    try:
        fcntl.fcntl(lifeline.fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline.fd, fcntl.F_SETSIG, signal.SIGKILL)
    except OSError:  # a kernel that cannot: the worker ends when it next wants work
        return
    fcntl.fcntl(lifeline.fd, fcntl.F_SETFL, fcntl.fcntl(lifeline.fd, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if os.read(lifeline.fd, 1) == b"":
            os._exit(1)  # it was gone before
    except BlockingIOError:
        pass


class ForkPoolWorker(process.BaseProcess):
    """What multiprocessing.current_process() is in a worker; its name is that of multiprocessing's own workers."""


def _introduce_to_multiprocessing(number):
    """What BaseProcess._bootstrap does: current_process(), and queues and locks that work across the fork."""
    process._process_counter = itertools.count(number)
    identity = ForkPoolWorker()
    process._parent_process = process._ParentProcess(process.current_process().name, os.getppid(), None)
    process._current_process = identity
    process._process_counter = itertools.count(1)
    process._children = set()
    util._finalizer_registry.clear()
    util._run_after_forkers()


def flush():
    """Else what an item printed is lost when a later one crashes."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


# ---- work -------------------------------------------------------------------------------------------------------


class Worker:
    def __init__(self, start):
        self._board, self._slots, self._inherited = start.board, start.slots, start.inherited
        self._inbox, self._outbox = wire.Inbox(start.sock), wire.Outbox(start.sock)
        self._functions = {}
        self._weight = 1.0  # of one result, of late

    def next_message(self):
        """The next message, or None when the pool wants no more of this worker."""
        while (message := self._inbox.next()) is None:
            try:
                if not self._inbox.receive():
                    return None
            except ConnectionResetError:
                return None
        return message

    def answer(self, kind, body, **fields):
        self._outbox.put(*wire.packed(kind, body, **fields))
        self._outbox.send()

    def work(self, message):
        _core.board_load(self._board, self._slots[message.seq & 1])
        try:
            function, items = self._load(message)
        except Exception as error:
            self.answer(wire.NOT_LOADED, wire.Body(described(error)), seq=message.seq)
            return
        finished = False
        while not finished:
            begin = time.perf_counter_ns()
            results, failures = [], []
            try:
                finished = self._run(function, items, message, results, failures)
            except SystemExit:
                self._answer_results(message, results, failures, False, begin)
                raise
            self._answer_results(message, results, failures, finished, begin)

    def _run(self, function, items, message, results, failures):
        """Runs items for a while; True when none is left."""
        how, most = message.flags & ~wire.BODY_IS_MAPPED, message.extra or max(1, int(MOST_WEIGHT / self._weight))
        slot = self._slots[message.seq & 1]
        try:
            return _core.run_items(function, items, how, self._board, slot, results, most, FLUSH_MS)
        except SystemExit:
            raise
        except BaseException as error:
            failures.append((len(results), described(error)))
            results.append(None)
            return False

    def _answer_results(self, message, results, failures, finished, begin):
        if not results and not finished:
            return
        microseconds = (time.perf_counter_ns() - begin) // 1000
        flush()  # with the answer its pool may be ended, and this process with it
        body = encoded(results, failures)
        self._weight = body.weight / max(1, len(results))
        flags = finished * wire.FINISHED | bool(failures) * wire.FAILURES
        self.answer(wire.RESULTS, body, flags=flags, seq=message.seq, count=len(results), extra=microseconds)

    def _load(self, message):
        """The function and the items that a message holds."""
        body, buffers = message.memory()
        body = memoryview(body)
        named = bytes(body[: message.function_size])
        items = pickle.loads(body[message.function_size :], buffers=buffers)
        return self._function(named, message.key), items

    def _function(self, named, key):
        if not named:
            return self._inherited[key]
        if key == wire.BY_VALUE:
            return pickle.loads(named)
        function = self._functions.get(named)
        if function is None:
            function = pickle.loads(named)
            if len(self._functions) == MOST_FUNCTIONS:
                self._functions.clear()
            self._functions[named] = function
        if key != wire.BY_NAME and key != id(function):
            raise LookupError(f"{function!r} was defined anew after this worker was forked")
        return function
