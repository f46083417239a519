"""What a call gives back: AsyncResult and the iterators of imap, filled by the pool as results come in."""

import threading
from collections import deque
from multiprocessing import TimeoutError as PoolTimeoutError

from libparmap.pools.errors import tell_of_exception


class Outcome:
    """What the pool asks of, and tells, those that wait for a call."""

    def is_cancelled(self):
        """Asked while no item has been sent to a worker."""
        return False

    def may_begin(self):
        """Asked once, right before the first is sent."""
        return True

    def put(self, first, values):
        """The results of item `first` and those after it."""
        raise NotImplementedError

    def put_failure(self, index, error):
        """An item that failed."""
        raise NotImplementedError

    def put_lost(self, index, error):
        """An item that took its worker with it, in a call that goes on."""
        self.put_failure(index, error)

    def end(self):
        """The outcome of every item has been put."""

    def break_off(self, error):
        """The call is over, with items that never ran. Does nothing where the end has been told already."""
        raise NotImplementedError


class AsyncResult(Outcome):
    """The result of apply_async; its methods are those of multiprocessing's."""

    def __init__(self, pool, driver, callback=None, error_callback=None):
        self._pool = pool  # which must not be collected while somebody waits for its results
        self._driver = driver
        self._callback, self._error_callback = callback, error_callback
        self._over = self._told = False
        self._value = self._error = None

    def ready(self):
        return self._over

    def successful(self):
        if not self._over:
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    def wait(self, timeout=None):
        self._driver.wait(self.ready, timeout, waits_for=self)

    def get(self, timeout=None):
        self.wait(timeout)
        if not self._over:
            raise PoolTimeoutError
        if self._error is not None:
            raise self._error
        return self._value

    # ---- called by the pool ----------------------------------------------------------------------------------

    def put(self, first, values):
        self._value = values[0]

    def put_failure(self, index, error):
        self._error = error

    def end(self):
        self._settle()

    def break_off(self, error):
        if not self._told and not self._over:
            self._error = error
            self._settle()

    def _settle(self):
        if self._callback is None and self._error_callback is None:
            self._over = True
        else:
            self._driver.call_back(self._call_back)
        self._told = True

    def _call_back(self):
        """get() returns after the callback has, and after what it raised is told."""
        try:
            if self._error is None and self._callback is not None:
                self._callback(self._value)
            if self._error is not None and self._error_callback is not None:
                self._error_callback(self._error)
        except BaseException:
            tell_of_exception()
        finally:
            self._callback = self._error_callback = None
            self._over = True


class MapResult(AsyncResult):
    """The result of map_async and starmap_async."""

    def __init__(self, pool, driver, length, callback=None, error_callback=None):
        super().__init__(pool, driver, callback, error_callback)
        self._value = [None] * length
        self._first_failed = length
        self.done = 0

    def put(self, first, values):
        self._value[first : first + len(values)] = values
        self.done += len(values)

    def put_failure(self, index, error):
        if index < self._first_failed:
            self._first_failed, self._error = index, error
        self.done += 1

    def put_lost(self, index, error):
        self.put(index, [error])


class IMapIterator(Outcome):
    """The results of imap, in order, each as soon as it is there."""

    def __init__(self, pool, driver):
        self._pool, self._driver = pool, driver
        self._lock = threading.Lock()
        self._results = {}  # index -> (value, error)
        self._next = 0
        self._over = False
        self._broken = None
        self.done = 0

    def __iter__(self):
        return self

    def __next__(self):
        return self.next()

    def next(self, timeout=None):
        while True:
            self._driver.wait(self._has_news, timeout, waits_for=self)
            with self._lock:
                if self._is_there():
                    value, error = self._take()
                    break
                if self._over:
                    if self._broken is not None:
                        error, self._broken = self._broken, None
                        raise error
                    self._pool = None
                    raise StopIteration
                if timeout is not None and not self._has_news():
                    raise PoolTimeoutError
        if error is not None:
            raise error
        return value

    def _has_news(self):
        return self._over or self._is_there()

    def _is_there(self):
        return self._next in self._results

    def _take(self):
        self._next += 1
        return self._results.pop(self._next - 1)

    # ---- called by the pool ----------------------------------------------------------------------------------

    def put(self, first, values):
        for index, value in enumerate(values, first):
            self._add(index, (value, None))

    def put_failure(self, index, error):
        self._add(index, (None, error))

    def put_lost(self, index, error):
        self._add(index, (error, None))

    def _add(self, index, result):
        self._results[index] = result
        self.done += 1

    def end(self):
        self._over = True

    def break_off(self, error):
        if not self._over:
            self._broken, self._over = error, True


class IMapUnorderedIterator(IMapIterator):
    """The results of imap_unordered, as they come."""

    def __init__(self, pool, driver):
        super().__init__(pool, driver)
        self._results = deque()

    def _is_there(self):
        return bool(self._results)

    def _take(self):
        return self._results.popleft()

    def _add(self, index, result):
        self._results.append(result)
        self.done += 1
