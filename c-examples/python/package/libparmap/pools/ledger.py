"""What becomes of results and of workers that have nothing to do, however the two are told of."""

import time


class Ledger:
    def __init__(self, crew, calls, maxtasks):
        self._crew, self._calls, self._maxtasks = crew, calls, maxtasks
        self._closed = False  # workers may go when there is nothing to do

    def take(self, worker, values, failures, seconds, finished):
        """Some results of the chunk that the worker runs; `failures` are (position, exception), in order."""
        chunk = worker.chunks[0]
        job, index = chunk.job, chunk.first + chunk.received
        if values:
            job.cost.learn(seconds, len(values))
            chunk.received += len(values)
            job.left -= len(values)
            if not job.over:
                _put(job.outcome, index, values, failures)
        if finished:
            self.chunk_is_done(worker)
        self._calls.end_if_done(job)
        self.dismiss_if_closed()

    def chunk_is_done(self, worker):
        worker.chunks.popleft()
        worker.used = time.monotonic()
        if worker.usable and worker.tasks == self._maxtasks and not worker.chunks:
            self._crew.dismiss(worker)

    def close(self):
        """Workers may go as soon as nothing is left to do."""
        self._closed = True
        self.dismiss_if_closed()

    def dismiss_if_closed(self):
        """Calls end with results, but also with the death of a worker, or because nobody wants them any more."""
        if self._closed and not self._calls.unfinished:
            for worker in list(self._crew.members):
                if worker.usable and not worker.chunks:
                    self._crew.dismiss(worker)


def _put(outcome, index, values, failures):
    """Hands values and failures over in the order of their items."""
    done = 0
    for position, error in failures:
        if position > done:
            outcome.put(index + done, values[done:position])
        outcome.put_failure(index + position, error)
        done = position + 1
    if done < len(values):
        outcome.put(index + done, values[done:] if done else values)
