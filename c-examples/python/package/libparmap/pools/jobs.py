"""What one call asks for: a function, items, how many of them a worker gets at once, and where results go."""

import sys
import time
import types
from collections import deque

from libparmap.pools import wire

MOST_SECONDS = 50e-3  # a chunk is worth no more than this; the tail of a call is evened out by taking back
LEAST_SECONDS = 250e-6  # and no less, where items are that small: a worker's wake-up costs a fifth of it
MOST_WEIGHT = 4 << 20  # bytes of arguments in one chunk
QUEUE_SECONDS = 5e-3  # chunks shorter than this may wait at a busy worker for their turn


class Cost:
    """What items of one function took lately; newer ones count more."""

    __slots__ = ("_seconds", "_items", "weight")

    def __init__(self):
        self._seconds, self._items, self.weight = 0.0, 0.0, 1.0

    def learn(self, seconds, items):
        self._seconds, self._items = self._seconds / 2 + seconds, self._items / 2 + items

    @property
    def seconds(self):
        """Per item, or None while nothing is known."""
        return self._seconds / self._items if self._items else None


class Segment:
    """Items of a call that no worker has: items[start:], the first of which is item `first` of the call."""

    __slots__ = ("first", "items", "start", "tries")

    def __init__(self, first, items, tries=0):
        self.first, self.items, self.start = first, items, 0
        self.tries = tries  # so often a worker failed at them with none to blame

    def __len__(self):
        return len(self.items) - self.start

    def take(self, size):
        """The first `size` of them, and the place of the first."""
        if self.start == 0 and size == len(self.items):
            self.start = size
            return self.first, self.items
        first, items = self.first, self.items[self.start : self.start + size]
        self.first += size
        self.start += size
        return first, items


class Chunk:
    """Items that one worker has been sent. Its place on the board tells how many are begun."""

    __slots__ = ("job", "first", "items", "end", "received", "seq", "tries", "sent", "killed_for")

    def __init__(self, job, first, items, tries=0):
        self.job, self.first, self.items, self.end = job, first, items, len(items)
        self.received = 0  # so many results of it are here
        self.tries = tries
        self.killed_for = None  # the exception for the running item, when we ended its worker


def is_pickled_by_name(one):
    return isinstance(one, (types.FunctionType, types.BuiltinFunctionType, type))


def defined_in_main():
    """What the session defines now, of what is pickled by name."""
    return [one for one in vars(sys.modules["__main__"]).copy().values() if is_pickled_by_name(one)]


class Call:
    """A function as workers get it: by its pickle, or by a key where it cannot be pickled."""

    __slots__ = ("function", "named", "key", "how")

    def __init__(self, function, how):
        self.function, self.how = function, how
        self.key = wire.BY_VALUE
        try:
            self.named = bytes(wire.dump(function, apart=False)[0])
        except Exception:
            self.named = None  # a lambda, say: it reaches workers in the image that they are forked from
        else:
            if is_pickled_by_name(function):
                # What is defined anew in a session keeps its name, but not its address.
                in_main = getattr(function, "__module__", None) == "__main__"
                self.key = id(function) if in_main else wire.BY_NAME


class Job:
    """
    timeout    seconds that one item may take, or None
    most       a worker answers after so many items; 0: whenever it likes
    chunksize  items that a worker gets at once; None: as many as seem right
    goes_on    an item that takes its worker with it fails alone; else the call is broken
    """

    def __init__(self, call, outcome, items=None, feed=None, timeout=None, most=0, chunksize=None, goes_on=False):
        self.call, self.outcome, self.feed = call, outcome, feed
        self.timeout, self.most, self.chunksize, self.goes_on = timeout, most, chunksize, goes_on
        self.pending = deque()
        self.left = 0  # items whose outcome is not known
        self.generation = 0  # workers must be of this image or a newer one
        self.submitted = time.monotonic()
        self.cost = None
        self.begun = self.over = False
        if items is not None:
            self.add(0, items)

    def add(self, first, items):
        """More items of the call."""
        if len(items):
            self.left += len(items)
            self.pending.append(Segment(first, items))

    def waiting(self):
        """How many items no worker has."""
        return sum(map(len, self.pending))

    def put_back(self, first, items, tries=0):
        """Items that a worker had but did not begin."""
        if len(items) and not self.over:
            self.pending.appendleft(Segment(first, items, tries))

    def next_chunk(self, workers):
        segment = self.pending[0]
        # One of those that a worker failed at with none to blame may take those around it along, again and again.
        size = 1 if segment.tries else min(self._size(workers), len(segment))
        chunk = Chunk(self, *segment.take(size), segment.tries)
        if not len(segment):
            self.pending.popleft()
        return chunk

    def _size(self, workers):
        if self.chunksize is not None:
            return self.chunksize
        seconds = self.cost.seconds
        if seconds is None:
            return 1
        seconds = max(seconds, 1e-8)
        share = self.waiting() * seconds / (2 * workers)
        wanted = max(LEAST_SECONDS, min(MOST_SECONDS, share))
        return max(1, min(int(wanted / seconds), int(MOST_WEIGHT / self.cost.weight)))

    def may_queue(self):
        """May its next chunk wait at a worker that is busy?"""
        seconds = self.cost.seconds
        return seconds is not None and seconds < QUEUE_SECONDS

    def is_all_handed_over(self):
        return not self.pending and (self.feed is None or self.feed.exhausted)
