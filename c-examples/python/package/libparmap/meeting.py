"""Sync: where programs meet that run side by side."""

import math
import threading

from libparmap import _core

FOR_EVER = 2**64 - 1


class Sync:
    """A connection to the meeting point: a Redis, or what `libparmap.run(..., sync=True)` brings up.

        with libparmap.Sync() as sync:
            sync.push("results", f"{part}: {answer}")
            sync.barrier("halfway", 4)

    url   redis://[[user]:password@]host[:port][/database] or unix:///path; by default the environment's
          PAR_SYNC_URL, which libparmap.run sets for its programs

    Values are bytes, or str, which travels as UTF-8; what comes back is bytes. Timeouts and leases are seconds; None is
    for ever, 0 does not wait. When the time is over TimeoutError is raised, and SyncError, a ConnectionError, when the server
    is gone. Waiting releases the GIL, and Ctrl-C ends it.

    Threads may share an object: their calls run one after another, so one that waits holds up the others. A forked
    child opens its own.
    """

    def __init__(self, url=None):
        self._core = _opened(None if url is None else _bytes("url", url))

    def set(self, key, value):
        """The key holds the value from now on."""
        self._core.set(_bytes("key", key), _value(value))

    def get(self, key, default=None):
        """What the key holds, or `default` if there is no such key."""
        value = self._core.get(_bytes("key", key))
        return default if value is None else value

    def delete(self, key):
        """The key is gone, whether it was there or not."""
        self._core.delete(_bytes("key", key))

    def add(self, key, by=1):
        """Adds to the number that the key holds, in one step, and returns the sum. No key counts as 0."""
        return self._core.add(_bytes("key", key), by)

    def push(self, queue, value):
        """Puts a value at the end of a queue."""
        self._core.push(_bytes("queue", queue), _value(value))

    def pop(self, queue, timeout=None):
        """Takes the first value of a queue and returns it; waits for one. A value goes to one taker."""
        return self._core.pop(_bytes("queue", queue), _milliseconds("pop: timeout", timeout))

    def barrier(self, name, parties, timeout=None):
        """Waits until as many parties have come. The barrier can be used again at once."""
        self._core.barrier(_bytes("name", name), parties, _milliseconds("barrier: timeout", timeout))

    def lock(self, name, lease=60, timeout=None):
        """Takes a lock that nobody else has until `unlock`, or until the lease is over, whichever comes first.

            with sync.lock("table"):
                ...
        """
        lease_ms = _milliseconds("lock: lease", lease)
        self._core.lock(_bytes("name", name), lease_ms, _milliseconds("lock: timeout", timeout))
        return Locked(self, name)

    def unlock(self, name):
        """Gives the lock back. TimeoutError: the lease was over before, and another may have had it since."""
        self._core.unlock(_bytes("name", name))

    def close(self):
        """Ends the connection. Locks that are held stay until their leases are over."""
        self._core.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _opened(url):
    """A connection. Ctrl-C ends the wait for a server that does not answer, for which par_sync_open takes up to 10 seconds.

    The main thread, which Python's signals come to, leaves the opening to another one and can be interrupted meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        return _core.Connection(url)
    came = []

    def open_it():
        try:
            came.append((_core.Connection(url), None))
        except BaseException as error:
            came.append((None, error))

    thread = threading.Thread(target=open_it, name="libparmap-sync", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # there are no threads to be had
        return _core.Connection(url)
    thread.join()
    connection, error = came.pop()
    if error is not None:
        try:
            raise error
        finally:
            del error  # which holds this frame
    return connection


class Locked:
    """A lock that is held, for the `with` statement."""

    def __init__(self, sync, name):
        self._sync = sync
        self._name = name

    def __enter__(self):
        return self

    def __exit__(self, exception_type, *rest):
        try:
            self._sync.unlock(self._name)
        except (TimeoutError, _core.SyncError):
            # What went wrong inside says more.
            if exception_type is None:
                raise


def _bytes(what, name):
    if isinstance(name, str):
        name = name.encode()
    if not isinstance(name, bytes):
        raise TypeError(f"Sync: {what} is {name!r}: pass str or bytes")
    if b"\0" in name:
        raise ValueError(f"Sync: {what} is {name!r}: it cannot hold a null character")
    return name


def _value(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):
        raise TypeError(f"Sync: value is {value!r}: pass bytes or str, such as str({value!r})")
    return value


def _milliseconds(what, seconds):
    if seconds is None or seconds == math.inf:
        return FOR_EVER
    if not seconds >= 0:
        raise ValueError(f"Sync.{what} is {seconds!r}: pass seconds, 0 or more, or None for ever")
    return min(math.ceil(seconds * 1000), FOR_EVER)
