"""The board, on which workers show how far they are, and what workers of all kinds have in common."""

import time
from collections import deque

from libparmap import _core

SLOT_SIZE = 64  # bytes, see src/board.c


def slots_of(seat):
    """Where on the board a worker's chunks stand; two chunks in a row never share a place."""
    return 2 * seat, 2 * seat + 1


class BoardWorker:
    def __init__(self, seat, generation):
        self.seat, self.generation = seat, generation
        self.chunks = deque()  # at most two; it runs the first
        self.seq = 0
        self.tasks = 0  # chunks it has been sent
        self.used = self.born = time.monotonic()
        self.usable = True  # may it be sent work?
        self.ready = True  # has its initializer returned?


class BoardCrew:
    def __init__(self, most, initializer, initargs, memory):
        self.most = most
        self.members = []  # may be sent work, or are about to end with work in hand
        self.leaving = []  # have nothing to do any more, and are about to end
        self.inherited = {}  # functions that cannot be pickled, by key; every fork takes them along
        self.generation = 0  # of the image that workers are forked from
        self._initializer, self._initargs = initializer, initargs
        # A place on the board is free again once its worker has ended, so there are more of them than workers.
        seats = 2 * most + 2
        self.board = memory(2 * seats * SLOT_SIZE)
        self._seats = list(range(seats))

    def is_empty(self):
        return not self.members and not self.leaving

    def can_hire(self):
        return len(self.members) < self.most and bool(self._seats)

    def handed_out(self):
        """(worker, position, chunk) for all that is at workers."""
        for worker in self.members:
            for position, chunk in enumerate(worker.chunks):
                yield worker, position, chunk

    def give(self, worker, chunk):
        """The chunk is the worker's next but for telling it so."""
        worker.tasks += 1
        worker.seq += 1
        worker.used = chunk.sent = time.monotonic()
        chunk.seq = worker.seq & 0xFFFFFFFF
        _core.board_open(self.board, self._slot(worker, chunk), chunk.end)
        worker.chunks.append(chunk)

    def look(self, worker, chunk):
        """(items begun, end, milliseconds since the last of them or, before that, their loading began, items ended)."""
        return _core.board_look(self.board, self._slot(worker, chunk))

    def take_back(self, worker, chunk, most):
        """The chunk's new end: up to `most` items not yet begun are no longer the worker's."""
        return _core.board_take_back(self.board, self._slot(worker, chunk), most)

    def _slot(self, worker, chunk):
        return slots_of(worker.seat)[chunk.seq & 1]
