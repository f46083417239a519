"""A C function over NumPy arrays and other buffers, on all cores, without the GIL."""

from array import array
from collections.abc import Callable
from typing import Any, Final, Generic, Literal, ParamSpec, TypeAlias, TypeVar, final, overload

from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["ItemError", "callback", "cpu_count", "map_buffer"]

_Out = TypeVar("_Out", bound=WriteableBuffer)
_P = ParamSpec("_P")
_R = TypeVar("_R")

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
    code: int  # what the function returned for it

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

@final
class _Callback(Generic[_P, _R]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

def callback(signature: str) -> Callable[[Callable[_P, _R]], _Callback[_P, _R]]:
    """Makes a Python function fit to be called as a C function of that signature, slowly, under the GIL."""

def cpu_count() -> int:
    """The CPUs this process may use: its affinity mask and its container's quota, rounded up."""
