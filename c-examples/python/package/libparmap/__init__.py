"""C functions over arrays on all cores without the GIL, and Python functions in processes that stand ready.

map_buffer(func, src)  applies a C function to every item or element
callback(signature)    makes a Python function fit for map_buffer, slowly but safely
run(argument_lists)    runs programs side by side, each as subprocess.run would
Sync(url)              a meeting point of programs: values, queues, barriers, locks
cpu_count()            the CPUs this process may use
ItemError              the C function failed for an item
SyncError              the meeting point is gone

Pool                   multiprocessing.Pool, and lambdas, dead workers, large arrays and Ctrl-C are no trouble
Executor               the same as a concurrent.futures.Executor
BrokenPool             a worker died; which item, which process, and of what
ItemTimeout            an item of a Pool ran longer than it may

mpi                    messages between the ranks of an MPI program
"""

import importlib

from libparmap import joblib_hook, mpi
from libparmap._core import ItemError, SyncError, __version__, cpu_count
from libparmap.callback import callback
from libparmap.mapping import map_buffer
from libparmap.meeting import Sync
from libparmap.running import run

__all__ = [
    "BrokenPool", "Executor", "ItemError", "ItemTimeout", "Pool", "Sync", "SyncError", "callback", "cpu_count",
    "map_buffer", "mpi", "run",
]  # fmt: skip

# multiprocessing and concurrent.futures take ten times as long to import as all of this, so they come on first use.
_LATER = {"BrokenPool": "errors", "Executor": "executor", "ItemTimeout": "errors", "Pool": "pool"}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"libparmap.pools.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})


joblib_hook.install()
