"""What workers say, how they end, and what becomes of their items then."""

import select
import socket

from libparmap.pools import wire
from libparmap.pools.answers import rebuilt
from libparmap.pools.errors import BrokenPool, ItemTimeout, broken_by
from libparmap.pools.ledger import Ledger

MOST_TRIES = 2  # so often items are sent again whose worker died while there was none to blame
FOREVER = float("inf")


class Reception(Ledger):
    def __init__(self, crew, calls, maxtasks):
        super().__init__(crew, calls, maxtasks)
        self._open()

    def _open(self):
        self._epoll = select.epoll()
        self._watched = {}  # descriptor -> (worker, whether it tells of the worker's end)

    def watch_bell(self, fd):
        """step() returns each time that `fd`, an eventfd, is written to."""
        self._bell = fd
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)

    def greet(self, worker):
        """From now on it is listened to."""
        self._watch(worker.sock.fileno(), worker, False)
        if worker.pidfd is not None:
            self._watch(worker.pidfd.fd, worker, True)

    def _watch(self, fd, worker, is_end):
        self._watched[fd] = (worker, is_end)
        self._epoll.register(fd, select.EPOLLIN)

    def _leave(self, fd):
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def flush(self, worker):
        """Sends what waits for the worker, as far as its socket takes it now."""
        try:
            everything = worker.outbox.send(socket.MSG_DONTWAIT)
        except ConnectionError:  # it has just ended, and its end will be dealt with
            return
        except OSError as error:  # the system refuses: whoever waited for this message would wait for ever
            worker.chunks[0].killed_for = error
            worker.kill()
            return
        if everything == worker.is_full:
            worker.is_full = not everything
            events = select.EPOLLIN if everything else select.EPOLLIN | select.EPOLLOUT
            self._epoll.modify(worker.sock.fileno(), events)

    def step(self, seconds):
        """Deals with what workers say and with those that end; waits for it up to so many seconds."""
        for fd, event in self._epoll.poll(None if seconds == FOREVER else seconds):
            worker, is_end = self._watched.get(fd, (None, False))
            if worker is None:
                continue
            if is_end:
                self._has_ended(worker)
                continue
            if event & select.EPOLLOUT:
                self.flush(worker)
            if event & ~select.EPOLLOUT:
                self._listen(worker)

    # ---- messages ----------------------------------------------------------------------------------------------

    def _listen(self, worker):
        """Reads once; False when there is nothing more to read, ever or for now."""
        try:
            more = worker.inbox.receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            more = False
        except OSError as error:  # no descriptor for what it sends: its running item fails with that
            if worker.chunks:
                worker.chunks[0].killed_for = error
            more = False
        while (message := worker.inbox.next()) is not None:
            self._on_message(worker, message)
        if not more:
            self._lost(worker)
        return more

    def _lost(self, worker):
        """It cannot be talked to any more: it has ended, or its connection is closed, and then it must end."""
        self._leave(worker.sock.fileno())
        if worker in self._crew.members:
            worker.kill()
        if worker.pidfd is None:
            self._has_ended(worker)

    def _on_message(self, worker, message):
        if message.kind == wire.RESULTS:
            self._on_results(worker, message)
        elif message.kind == wire.NOT_LOADED:
            self._on_not_loaded(worker, message)
        elif message.kind == wire.READY:
            worker.ready = True
        elif message.kind == wire.FAILED_TO_START:
            worker.ready = True  # and has said all there is to say
            error = BrokenPool(f"Pool: the initializer failed in worker {worker.pid}", pid=worker.pid)
            error.__cause__ = rebuilt(message.load())
            self._calls.break_off_all(error)

    def _on_results(self, worker, message):
        values, failures = _loaded(message) if message.count else ((), ())
        self.take(worker, values, failures, message.extra / 1e6, bool(message.flags & wire.FINISHED))

    def _on_not_loaded(self, worker, message):
        """The function or the items mean nothing to the worker: perhaps it is older than they are."""
        chunk = worker.chunks[0]
        job = chunk.job
        self.chunk_is_done(worker)
        if worker.born < job.submitted:
            if job.generation <= worker.generation:
                self._calls.renew(job)
            self._calls.put_back(job, chunk.first, chunk.items[: chunk.end])
        elif len(chunk.items) > 1:  # alone, only those fail that cannot be loaded
            self._calls.put_back(job, chunk.first, chunk.items[: chunk.end], chunk.tries + 1)
        else:
            error = rebuilt(message.load())
            for index in range(chunk.first, chunk.first + chunk.end):
                self._calls.item_failed(job, index, error)

    # ---- ends --------------------------------------------------------------------------------------------------

    def _has_ended(self, worker):
        if worker.sock.fileno() in self._watched:
            while self._listen(worker):
                pass
        self._leave(worker.sock.fileno())
        if worker.pidfd is not None:
            self._leave(worker.pidfd.fd)
        lost = [(chunk, self._crew.look(worker, chunk)) for chunk in worker.chunks]
        status = self._crew.bury(worker)
        if not worker.ready:
            error = broken_by(None, worker.pid, status, "in its initializer")
            self._calls.break_off_all(error)
        for chunk, (_, end, *_) in lost[1:]:  # which only waited for their turn
            self._calls.put_back(chunk.job, chunk.first, chunk.items[:end], chunk.tries)
        for chunk, (begun, end, _, ended) in lost[:1]:
            self._settle(worker, status, chunk, begun, end, ended)

    def _settle(self, worker, status, chunk, begun, end, ended):
        """What becomes of the items that a dead worker was at: one is to blame, the others are for somebody else."""
        job, tries, at = chunk.job, chunk.tries, (chunk, begun)
        if begun == 0:
            tries += 1
            begun += tries > MOST_TRIES and end > 0  # they die of merely getting them; others have what was taken back
        elif begun == ended > chunk.received + 1:
            # It died of their results, and nobody knows of whose: alone the one that is to blame is found.
            tries, begun = tries + 1, chunk.received
        if begun <= chunk.received or worker.ended_at not in (None, at):
            self._calls.put_back(job, chunk.first + chunk.received, chunk.items[chunk.received : end], tries)
            return
        blamed = begun - 1
        self._calls.put_back(job, chunk.first + begun, chunk.items[begun:end])
        self._calls.put_back(job, chunk.first + chunk.received, chunk.items[chunk.received : blamed])
        index = chunk.first + blamed
        error = chunk.killed_for or broken_by(index, worker.pid, status)
        if job.goes_on:
            self._calls.item_failed(job, index, error, is_lost=True)
        elif chunk.killed_for is not None:
            self._calls.item_failed(job, index, error)
        else:
            self._calls.break_off(job, error)

    def watch_time_limits(self):
        """Ends workers whose item takes too long; seconds until the next look."""
        next_look = FOREVER
        for worker in list(self._crew.members):
            chunk = worker.chunks[0] if worker.chunks else None
            if chunk is None or chunk.job.timeout is None or not worker.usable:
                continue
            begun, _, ms, _ = self._crew.look(worker, chunk)
            limit = chunk.job.timeout
            if 0 < begun <= chunk.received:
                next_look = min(next_look, limit)
            elif ms / 1000 < limit:
                next_look = min(next_look, limit - ms / 1000)
            elif self._listen(worker):  # what it says now may have waited for us
                next_look = 0
            elif worker.usable:
                self._end_in_time(worker, chunk, begun)
        return next_look

    def _end_in_time(self, worker, chunk, begun):
        """Items that are loaded together and take too long are sent again one by one, each with the whole time."""
        if begun == 0 and len(chunk.items) == 1:
            chunk.tries = MOST_TRIES
        if begun or len(chunk.items) == 1:
            index, limit = chunk.first + max(0, begun - 1), chunk.job.timeout
            chunk.killed_for = ItemTimeout(f"Pool: item {index} ran longer than its timeout of {limit} s; its "
                                           f"worker {worker.pid} was ended", index)  # fmt: skip
        worker.kill(at=(chunk, begun))

    def start_over(self):
        """All workers are gone, and with them their descriptors."""
        self._epoll.close()
        self._open()
        self.watch_bell(self._bell)

    def forget(self):
        """In a forked child."""
        self._epoll.close()


def _loaded(message):
    """The results in a message, and (position, exception) for those that failed, in order."""
    try:
        loaded = message.load()
        values, failures = loaded if message.flags & wire.FAILURES else (loaded, ())
    except Exception as error:  # too large for this process, or their class refuses to be made here
        return [None] * message.count, [(position, error) for position in range(message.count)]
    return values, sorted(((position, rebuilt(failure)) for position, failure in failures), key=lambda one: one[0])
