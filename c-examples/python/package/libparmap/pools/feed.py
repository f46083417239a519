"""The items of an imap, drawn from its iterable on a thread of their own.

An iterable may wait for results that its own items have yet to bring, so nobody else may wait for it.
"""

import queue
import threading
import time
from collections import deque

ENOUGH_SECONDS = 20e-3  # items that keep the workers busy for longer are not drawn ahead; others' calls wait behind them


class Feed:
    def __init__(self, iterable, wake, ahead):
        self._iterator = iter(iterable)
        self._wake = wake
        self._items = deque()
        self._ahead = ahead  # how many items are drawn before anybody asks; grows until they last for a while
        self._emptied = time.monotonic()  # when all that may be drawn was last taken
        self._room = queue.SimpleQueue()  # of numbers: so many more items may be drawn
        self._room.put(ahead)
        self._stopped = False
        self._hungry = True
        self.taken = 0
        self.error = None  # what the iterable raised
        self._drawn = False

    @property
    def exhausted(self):
        return self._drawn and not self._items

    def start(self):
        try:
            threading.Thread(target=self._draw, name="libparmap-feed", daemon=True).start()
        except RuntimeError as error:  # the system refuses a thread: the call ends with that
            self.error, self._drawn = error, True
            self._wake()

    def stop(self):
        self._stopped = True
        self._room.put(1)

    def take(self):
        """The items that are there. Where all that may be drawn was, and soon, twice as many may be from then on."""
        self._hungry = True
        items = [self._items.popleft() for _ in range(len(self._items))]
        self.taken += len(items)
        more = 0
        if len(items) >= self._ahead:
            before, self._emptied = self._emptied, time.monotonic()
            if self._emptied - before < ENOUGH_SECONDS:
                more, self._ahead = self._ahead, 2 * self._ahead
        if items:
            self._room.put(len(items) + more)
        return items

    def _draw(self):
        try:
            room = self._room.get()
            for item in self._iterator:
                if self._stopped:
                    return
                self._items.append(item)
                if self._hungry:
                    self._hungry = False
                    self._wake()
                room = room - 1 or self._room.get()
        except BaseException as error:
            self.error = error
        finally:
            self._drawn = True
            self._iterator = None
            self._wake()
