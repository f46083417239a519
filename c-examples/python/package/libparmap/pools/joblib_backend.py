"""backend="libparmap" for joblib, and so for the n_jobs of scikit-learn."""

import pickle
from abc import ABCMeta

from joblib import cpu_count, register_parallel_backend
from joblib._parallel_backends import AutoBatchingMixin, FallbackToBackend, ParallelBackendBase, SequentialBackend

from libparmap.pools import wire
from libparmap.pools.executor import Executor

try:
    import cloudpickle
except ImportError:  # joblib brings a copy of its own before 1.6
    from joblib.externals import cloudpickle


def register():
    register_parallel_backend("libparmap", Backend)


class Backend(AutoBatchingMixin, ParallelBackendBase, metaclass=ABCMeta):
    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    _executor = None

    def effective_n_jobs(self, n_jobs):
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(cpu_count() + 1 + n_jobs, 1)

    def configure(self, n_jobs=1, parallel=None, prefer=None, require=None, **options):
        self.parallel = parallel
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        threads = self.inner_max_num_threads or max(cpu_count() // n_jobs, 1)
        # New workers for each call: they know all that the caller has defined by now.
        self._executor = Executor(n_jobs, _limit_threads, (threads,))
        return n_jobs

    def submit(self, func, callback=None):
        future = self._executor.submit(_call, _sendable(func))
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, future):
        return future.result()

    def terminate(self):
        if self._executor is not None:
            self._executor.terminate()
            self._executor = None
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready=True):
        self.terminate()
        # Batches that joblib has made but not submitted would be run by the next call, and their results be its own.
        batches = getattr(self.parallel, "_ready_batches", None)
        while batches is not None and not batches.empty():
            batches.get_nowait()
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)


def _limit_threads(threads):
    """Each worker gets its share of the CPUs; OpenMP's threads, moreover, do not survive a fork."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(threads)


def _sendable(func):
    try:
        wire.dump(func)
        return func
    except Exception:
        return _ByValue(func)


class _ByValue:
    """Takes lambdas and local functions along as code, as joblib's other backends do."""

    def __init__(self, func):
        self._func = func

    def __reduce__(self):
        return pickle.loads, (cloudpickle.dumps(self._func),)


def _call(func):
    return func()
