"""Imports that other threads are in the middle of when a worker is forked.

The worker has none of those threads, so nobody would ever finish such an import there, and whoever imported the
same module would wait for ever. CPython knows of the lock around all imports, and forgets those of single modules.
"""

import sys
import threading
import time
from importlib import _bootstrap

PATIENCE = 0.5  # seconds; an import that takes longer may be waiting for us


def wait_for_others():
    """Returns when no other thread is inside an import, or patience is at its end."""
    deadline = time.monotonic() + PATIENCE
    while _held_by_others() and time.monotonic() < deadline:
        time.sleep(0.001)


def forget_others():
    """In the worker: what they did not finish is imported from the beginning."""
    for name in _held_by_others():
        _bootstrap._module_locks.pop(name, None)
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if getattr(spec, "_initializing", False):
            del sys.modules[name]


def _held_by_others():
    me = threading.get_ident()
    locks = getattr(_bootstrap, "_module_locks", {})
    owners = ((name, getattr(reference(), "owner", None)) for name, reference in list(locks.items()))
    return [name for name, owner in owners if owner not in (None, me)]
