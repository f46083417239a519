"""C functions over arrays on all cores without the GIL, and Python functions in processes that stand ready."""

import concurrent.futures
import multiprocessing
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from signal import Signals
from subprocess import CompletedProcess
from types import TracebackType
from typing import Any, Final, Generic, Literal, ParamSpec, Self, TypeAlias, TypeVar, final, overload, type_check_only

from _typeshed import ReadableBuffer, WriteableBuffer

from libparmap import mpi as mpi

__all__ = [
    "BrokenPool", "Executor", "ItemError", "ItemTimeout", "Pool", "Sync", "SyncError", "callback", "cpu_count",
    "map_buffer", "mpi", "run",
]  # fmt: skip

_Out = TypeVar("_Out", bound=WriteableBuffer)
_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

# A ctypes or cffi function pointer, a PyCapsule named with the signature, a scipy.LowLevelCallable, a Numba
# @cfunc, (address, signature), an address together with signature=, or what libparmap.callback made.
_Function: TypeAlias = Any
# A ctypes or cffi pointer, an address, a PyCapsule, or an object whose memory the function is to see.
_UserData: TypeAlias = Any
# What NumPy takes for a dtype where src or out is a NumPy array, otherwise a letter of array.array or a dtype.
_DType: TypeAlias = Any
_Executor: TypeAlias = Literal["threads", "processes", "mpi"]
# True: a bar on stderr. A function is called with (done, total) on the calling thread.
_Progress: TypeAlias = bool | Callable[[int, int], object] | None

__version__: Final[str]

@final
class ItemError(RuntimeError):
    """The C function failed for an item."""

    index: int  # which item, counted along the first axis
    code: int  # what the function returned for it; where its worker died, signal or exit code: the message says which

# Results go to `out`, which is returned. Without it map_buffer makes room for results of src's shape:
#   src is bytes or bytearray, no dtype   a bytearray
#   src is a NumPy array                  a NumPy array of its dtype, or of `dtype`
#   any other src                         an array.array of its type, or of `dtype`;
#                                         a memoryview of one where src has more than one axis
@overload
def map_buffer(
    func: _Function,
    src: ReadableBuffer,
    out: _Out,
    *,
    dtype: _DType = None,
    workers: int | None = None,
    executor: _Executor = "threads",
    progress: _Progress = None,
    timeout: float | None = None,
    user_data: _UserData = None,
    signature: str | None = None,
) -> _Out: ...
@overload
def map_buffer(
    func: _Function,
    src: bytes | bytearray,
    out: None = None,
    *,
    dtype: None = None,
    workers: int | None = None,
    executor: _Executor = "threads",
    progress: _Progress = None,
    timeout: float | None = None,
    user_data: _UserData = None,
    signature: str | None = None,
) -> bytearray: ...
@overload
def map_buffer(
    func: _Function,
    src: array[Any] | bytes | bytearray,
    out: None = None,
    *,
    dtype: _DType = None,
    workers: int | None = None,
    executor: _Executor = "threads",
    progress: _Progress = None,
    timeout: float | None = None,
    user_data: _UserData = None,
    signature: str | None = None,
) -> array[Any]: ...
@overload
def map_buffer(
    func: _Function,
    src: ReadableBuffer,
    out: None = None,
    *,
    dtype: _DType = None,
    workers: int | None = None,
    executor: _Executor = "threads",
    progress: _Progress = None,
    timeout: float | None = None,
    user_data: _UserData = None,
    signature: str | None = None,
) -> Any: ...

_Argument: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]

# Output is str where text, encoding or errors says so, None with capture_output=False, otherwise bytes.
def run(
    argument_lists: Iterable[Iterable[_Argument]],
    *,
    workers: int | None = None,
    timeout: float | None = None,
    command_timeout: float | None = None,
    check: bool = False,
    progress: _Progress = None,
    sync: bool = False,
    input: str | ReadableBuffer | Sequence[str | ReadableBuffer | None] | None = None,
    env: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
    cwd: _Argument | None = None,
    capture_output: bool = True,
    text: bool | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    retries: int = 0,
) -> list[CompletedProcess[Any]]:
    """Runs programs side by side, each as subprocess.run would."""

@final
class SyncError(ConnectionError):
    """The meeting point cannot be reached, is gone, or is not in a state to serve."""

_Name: TypeAlias = str | bytes

# Timeouts and leases are seconds; None is for ever.
class Sync:
    """A connection to the meeting point: a Redis, or what `libparmap.run(..., sync=True)` brings up."""

    def __init__(self, url: _Name | None = None) -> None: ...
    def set(self, key: _Name, value: str | ReadableBuffer) -> None: ...
    @overload
    def get(self, key: _Name) -> bytes | None: ...
    @overload
    def get(self, key: _Name, default: _T) -> bytes | _T: ...
    def delete(self, key: _Name) -> None: ...
    def add(self, key: _Name, by: int = 1) -> int: ...
    def push(self, queue: _Name, value: str | ReadableBuffer) -> None: ...
    def pop(self, queue: _Name, timeout: float | None = None) -> bytes: ...
    def barrier(self, name: _Name, parties: int, timeout: float | None = None) -> None: ...
    def lock(self, name: _Name, lease: float | None = 60, timeout: float | None = None) -> _Locked: ...
    def unlock(self, name: _Name) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class _Locked:
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class _Callback(Generic[_P, _R]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

def callback(signature: str) -> Callable[[Callable[_P, _R]], _Callback[_P, _R]]:
    """Makes a Python function fit to be called as a C function of that signature, slowly, under the GIL."""

def cpu_count() -> int:
    """The CPUs this process may use: its affinity mask and its container's quota, rounded up."""

# ---- processes that stand ready --------------------------------------------------------------------------------

_Where: TypeAlias = Literal["auto", "processes", "threads", "mpi"]
# What a dead worker means for its call: BrokenPool is raised, or stands in the results in the place of the item.
_OnCrash: TypeAlias = Literal["raise", "continue"]

class BrokenPool(concurrent.futures.BrokenExecutor):
    """A worker died. The pool itself lives on, with a new worker in its place."""

    item: int | None  # which it died of, counted as the call's iterable counts; None where it ran none
    pid: int | None
    signal: Signals | int | None
    exitcode: int | None
    def __init__(
        self, message: str, item: int | None = None, pid: int | None = None,
        signal: Signals | int | None = None, exitcode: int | None = None,
    ) -> None: ...

class ItemTimeout(multiprocessing.TimeoutError, TimeoutError):
    """An item ran longer than the call's `timeout`; its worker was ended."""

    item: int | None
    def __init__(self, message: str, item: int | None = None) -> None: ...

@type_check_only
class _AsyncResult(Generic[_R]):
    def ready(self) -> bool: ...
    def successful(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> None: ...
    def get(self, timeout: float | None = None) -> _R: ...

@type_check_only
class _IMapIterator(Generic[_R]):
    def __iter__(self) -> Self: ...
    def __next__(self) -> _R: ...
    def next(self, timeout: float | None = None) -> _R: ...

class Pool:
    """multiprocessing.Pool: import it from here, and the port is done.

    What is added: lambdas, closures and local functions work; a dead worker raises BrokenPool and never hangs the
    call; Ctrl-C ends it at once; large arrays return without a copy; `timeout` bounds every single item; `progress`
    draws a bar or calls a function with (done, total).
    """

    def __init__(
        self, processes: int | None = None, initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (), maxtasksperchild: int | None = None, *,
        executor: _Where = "auto", on_crash: _OnCrash = "raise",
    ) -> None: ...
    def apply(self, func: Callable[..., _R], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {}) -> _R: ...
    def map(
        self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int | None = None, *,
        timeout: float | None = None, progress: _Progress = None,
    ) -> list[_R]: ...
    def starmap(
        self, func: Callable[..., _R], iterable: Iterable[Iterable[Any]], chunksize: int | None = None, *,
        timeout: float | None = None, progress: _Progress = None,
    ) -> list[_R]: ...
    def apply_async(
        self, func: Callable[..., _R], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {},
        callback: Callable[[_R], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None, *, timeout: float | None = None,
    ) -> _AsyncResult[_R]: ...
    def map_async(
        self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int | None = None,
        callback: Callable[[list[_R]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None, *, timeout: float | None = None,
    ) -> _AsyncResult[list[_R]]: ...
    def starmap_async(
        self, func: Callable[..., _R], iterable: Iterable[Iterable[Any]], chunksize: int | None = None,
        callback: Callable[[list[_R]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None, *, timeout: float | None = None,
    ) -> _AsyncResult[list[_R]]: ...
    def imap(
        self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int = 1, *, timeout: float | None = None,
    ) -> _IMapIterator[_R]: ...
    def imap_unordered(
        self, func: Callable[[_T], _R], iterable: Iterable[_T], chunksize: int = 1, *, timeout: float | None = None,
    ) -> _IMapIterator[_R]: ...
    def close(self) -> None: ...
    def terminate(self) -> None: ...
    def join(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None,
    ) -> None: ...
    def __del__(self) -> None: ...

class Executor(concurrent.futures.Executor):
    """A concurrent.futures.Executor over a Pool."""

    def __init__(
        self, max_workers: int | None = None, initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (), *, max_tasks_per_child: int | None = None,
        executor: _Where = "auto", on_crash: _OnCrash = "raise",
    ) -> None: ...
    def map(
        self, fn: Callable[..., _R], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[_R]: ...
    def terminate(self) -> None:
        """Ends the workers at once; futures that are not done fail with BrokenPool."""
