"""Sync: where programs meet that run side by side."""

import math
import operator
import reprlib
import threading

from libparmap import _core

FOR_EVER = 2**64 - 1
MOST_PARTIES = 1_000_000  # of par_sync_barrier


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
        self._core = _opened(None if url is None else _bytes("Sync: url", url))

    def set(self, key, value):
        """The key holds the value from now on."""
        self._core.set(_bytes("Sync.set: key", key), _value("Sync.set: value", value))

    def get(self, key, default=None):
        """What the key holds, or `default` if there is no such key."""
        value = self._core.get(_bytes("Sync.get: key", key))
        return default if value is None else value

    def delete(self, key):
        """The key is gone, whether it was there or not."""
        self._core.delete(_bytes("Sync.delete: key", key))

    def add(self, key, by=1):
        """Adds to the number that the key holds, in one step, and returns the sum. No key counts as 0."""
        by = _whole("Sync.add: by", by)
        if not -(2**63) <= by < 2**63:
            raise OverflowError(f"Sync.add: by is {reprlib.repr(by)}: pass a number of at most 64 bits")
        return self._core.add(_bytes("Sync.add: key", key), by)

    def push(self, queue, value):
        """Puts a value at the end of a queue."""
        self._core.push(_bytes("Sync.push: queue", queue), _value("Sync.push: value", value))

    def pop(self, queue, timeout=None):
        """Takes the first value of a queue and returns it; waits for one. A value goes to one taker."""
        return self._core.pop(_bytes("Sync.pop: queue", queue), _milliseconds("Sync.pop: timeout", timeout))

    def barrier(self, name, parties, timeout=None):
        """Waits until as many parties have come. The barrier can be used again at once."""
        parties = _whole("Sync.barrier: parties", parties)
        if not 1 <= parties <= MOST_PARTIES:
            raise ValueError(f"Sync.barrier: parties is {reprlib.repr(parties)}: pass 1 to {MOST_PARTIES}")
        name, timeout_ms = _bytes("Sync.barrier: name", name), _milliseconds("Sync.barrier: timeout", timeout)
        self._core.barrier(name, parties, timeout_ms)

    def lock(self, name, lease=60, timeout=None):
        """Takes a lock that nobody else has until `unlock`, or until the lease is over, whichever comes first.

            with sync.lock("table"):
                ...
        """
        lease_ms, timeout_ms = _milliseconds("Sync.lock: lease", lease), _milliseconds("Sync.lock: timeout", timeout)
        if lease_ms == 0:
            raise ValueError(f"Sync.lock: lease is {lease!r}: pass seconds above 0, or None for ever")
        self._core.lock(_bytes("Sync.lock: name", name), lease_ms, timeout_ms)
        return Locked(self, name)

    def unlock(self, name):
        """Gives the lock back. TimeoutError: the lease was over before, and another may have had it since."""
        self._core.unlock(_bytes("Sync.unlock: name", name))

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


# Arguments, on their way to the extension. `what` begins the sentence about one that is wrong: "Sync.pop: timeout".


def _bytes(what, name):
    data = _encoded(what, name) if isinstance(name, str) else name
    if not isinstance(data, bytes):
        raise TypeError(f"{what} is {reprlib.repr(name)}: pass str or bytes")
    if b"\0" in data:
        raise ValueError(f"{what} is {name!r}: it cannot hold a null character")
    return data


def _value(what, value):
    """Bytes, or an object that the extension takes for bytes, or says why not."""
    return _encoded(what, value) if isinstance(value, str) else value


def _encoded(what, text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        wrong = text[error.start]
        raise ValueError(f"{what} holds {wrong!r}, which UTF-8 has not: pass bytes, as os.fsencode makes") from None


def _whole(what, number):
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{what} is {reprlib.repr(number)}: pass a whole number") from None


def _milliseconds(what, seconds):
    if seconds is None:
        return FOR_EVER
    try:
        number = math.fsum([seconds])  # float() would read text, too
    except TypeError:
        raise TypeError(f"{what} is {reprlib.repr(seconds)}: pass seconds, or None for ever") from None
    except OverflowError:
        number = math.inf if seconds > 0 else -math.inf
    if not number >= 0:
        raise ValueError(f"{what} is {reprlib.repr(seconds)}: pass seconds, 0 or more, or None for ever")
    return FOR_EVER if number >= FOR_EVER / 1000 else math.ceil(number * 1000)
