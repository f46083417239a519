"""map_buffer: checks the options, finds room for the results, and calls the extension."""

import math
import sys

from libparmap import _core
from libparmap.callback import Callback
from libparmap.progress import reporter
from libparmap.results import check_dtype, room_for_results

EXECUTORS = {"threads": _core.THREADS, "processes": _core.PROCESSES, "mpi": _core.MPI}
MOST_WORKERS = sys.maxsize


def map_buffer(func, src, out=None, *, dtype=None, workers=None, executor="threads", progress=None,
               timeout=None, user_data=None, signature=None):
    """Apply a C function to every item of src, in parallel and without the GIL, and return out.

    An item is one entry of the first axis: a whole row of a matrix for a function
    ``int (const void *in, void *out, void *user_data)``, which returns 0 or a code of its own for failure.
    An element function, ``double (double)``, ``float (float)``, ``int64_t (int64_t)``, ``int32_t (int32_t)``,
    each also with ``void *user_data`` behind its argument, is applied to every element.

    func       a ctypes or cffi function pointer, a PyCapsule named with the signature, a
               scipy.LowLevelCallable, a Numba @cfunc, (address, signature), an address together with
               signature=, or a Python function made fit by libparmap.callback
    src        NumPy array, array.array, bytearray, memoryview, bytes: anything with contiguous memory
    out        where results go; may be src itself. None makes room: a NumPy array where src is one, a
               bytearray for bytes, otherwise an array.array (a memoryview of one where src has more axes)
    dtype      type of the results where out is None; that of src unless given
    workers    threads that take part, the calling one included; by default one a CPU
    executor   "threads", "processes" or "mpi"
    progress   True for a bar on stderr, or a function called with (done, total) on the calling thread
    timeout    seconds after which no further item starts and TimeoutError is raised
    user_data  a pointer, an address, or an object with memory, handed to func
    signature  the function's signature where func does not know it, such as "double (double)"

    A failing item raises ItemError, as does one whose worker process died. Ctrl-C raises KeyboardInterrupt once the
    running items have ended.
    """
    options = (_worker_count(workers), _executor_code(executor), _milliseconds(timeout))
    if isinstance(func, Callback) and executor != "threads":
        # What it raises stays in the process that ran it, and an element would be left without a result.
        raise ValueError(
            f"map_buffer: executor is {executor!r}, but func is a Python function of libparmap.callback, whose "
            "exceptions come from threads alone: leave executor out, or use libparmap.Pool"
        )
    if out is None:
        out = room_for_results(src, dtype)
    elif dtype is not None:
        check_dtype(out, dtype)

    with reporter(progress) as report:
        if isinstance(func, Callback):
            with func.running() as running:
                _core.map_buffer(running.pointer, running.stop, signature, user_data, src, out, *options, report)
        else:
            _core.map_buffer(func, None, signature, user_data, src, out, *options, report)
    return out


def _executor_code(executor):
    if isinstance(executor, str) and executor in EXECUTORS:
        return EXECUTORS[executor]
    raise ValueError(f'map_buffer: executor is {executor!r}: pass "threads", "processes" or "mpi"')


def _worker_count(workers):
    if workers is None:
        return 0
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"map_buffer: workers is {workers!r}: pass a whole number from 1, or None")
    if not 1 <= workers <= MOST_WORKERS:
        raise ValueError(f"map_buffer: workers is {workers}: pass a whole number from 1, or None")
    return workers


def _milliseconds(timeout):
    if timeout is None:
        return 0
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"map_buffer: timeout is {timeout!r}: pass seconds, or None")
    if not timeout > 0:
        raise ValueError(f"map_buffer: timeout is {timeout}: pass seconds above 0, or None")
    # Longer than a century is no limit.
    return 0 if timeout > 4e9 else math.ceil(timeout * 1000)
