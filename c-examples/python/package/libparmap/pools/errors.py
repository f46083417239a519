"""What a Pool raises beside the exceptions of multiprocessing."""

import os
import signal
import traceback
from concurrent.futures import BrokenExecutor
from multiprocessing import TimeoutError as PoolTimeoutError


class BrokenPool(BrokenExecutor):
    """A worker died. The pool itself lives on, with a new worker in its place.

    item      index of the item it died of, counted as the call's iterable counts; None where it ran none
    pid       the process that died
    signal    the signal that ended it, such as signal.SIGSEGV, or None
    exitcode  the code it exited with, or None
    """

    def __init__(self, message, item=None, pid=None, signal=None, exitcode=None):
        super().__init__(message)
        self.item, self.pid, self.signal, self.exitcode = item, pid, signal, exitcode

    def __reduce__(self):
        return BrokenPool, (*self.args, self.item, self.pid, self.signal, self.exitcode)


class ItemTimeout(PoolTimeoutError, TimeoutError):
    """An item ran longer than the call's `timeout`; its worker was ended. `item` is its index."""

    def __init__(self, message, item=None):
        super().__init__(message)
        self.item = item

    def __reduce__(self):
        return ItemTimeout, (*self.args, self.item)


def broken_by(item, pid, status, where=None):
    """The BrokenPool for a worker that ended with a status of os.waitpid, None where nobody can tell."""
    ended_by, exitcode, how = None, None, "how is unknown: something else in this program reaped it"
    if status is not None:
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            ended_by = _signal(-code)
            how = f"killed by {getattr(ended_by, 'name', f'signal {ended_by}')}"
        else:
            exitcode, how = code, f"it exited with code {code}"
    where = where or f"while it ran item {item}"
    return BrokenPool(f"Pool: worker {pid} died {where}: {how}", item, pid, ended_by, exitcode)


def tell_of_exception():
    """Prints what has just been raised where nobody is there to catch it; stderr may be closed, or nobody read it."""
    try:
        traceback.print_exc()
    except Exception:
        pass


def _signal(number):
    try:
        return signal.Signals(number)
    except ValueError:  # a real-time signal has no name
        return number
