"""Messages between the ranks of an MPI program, with the names of PyPar, under any MPI."""

from collections.abc import Sequence
from typing import Any, Final, Literal, overload

__all__ = [
    "BAND", "BOR", "BXOR", "MAX", "MIN", "PROD", "SUM", "Status", "abort", "any_source", "any_tag", "barrier",
    "broadcast", "finalize", "gather", "get_processor_name", "library", "rank", "receive", "reduce", "scatter", "send",
    "size", "time",
]  # fmt: skip

any_source: Final[int]
any_tag: Final[int]
default_tag: Final[int]
SUM: Final[int]
PROD: Final[int]
MIN: Final[int]
MAX: Final[int]
BAND: Final[int]
BOR: Final[int]
BXOR: Final[int]

class Status:
    """Where a message came from, and how long it was."""

    source: int
    tag: int
    error: int
    length: int  # elements of an array, bytes of anything else
    size: int  # bytes of one of them
    def __init__(self, source: int, tag: int, length: int, size: int) -> None: ...
    def bytes(self) -> int: ...

def start() -> None:
    """Finds the other ranks. Every function here does so by itself."""

def rank() -> int:
    """This process's number, from 0."""

def size() -> int:
    """How many processes there are."""

def get_processor_name() -> str:
    """The name of the machine this rank runs on."""

def library() -> str:
    """The MPI that was loaded, or "none"."""

def time() -> float:
    """Seconds since some moment in the past, on MPI's clock."""

def send(
    x: object, destination: int, use_buffer: bool = False, vanilla: bool = False, tag: int = 1, bypass: bool = False
) -> None:
    """Send any object that can be pickled to the rank `destination`."""

# With `buffer`, an array of some kind, that is what is returned, filled.
@overload
def receive(
    source: int = -1,
    buffer: Any = None,
    vanilla: bool = False,
    tag: int = 1,
    return_status: Literal[False] = False,
    bypass: bool = False,
) -> Any: ...
@overload
def receive(
    source: int = -1,
    buffer: Any = None,
    vanilla: bool = False,
    tag: int = 1,
    *,
    return_status: Literal[True],
    bypass: bool = False,
) -> tuple[Any, Status]: ...
def barrier() -> None:
    """Wait until every rank has come here."""

def broadcast(buffer: Any, root: int = 0, vanilla: bool = False, bypass: bool = False) -> Any:
    """Return, on every rank, the object that `root` passed."""

def scatter(x: Sequence[Any] | Any, root: int = 0, buffer: Any = None, vanilla: bool = False) -> Any:
    """Cut what `root` passed into equal parts, and return this rank's."""

def gather(x: Any, root: int = 0, buffer: Any = None, vanilla: bool = False) -> Any:
    """Return, at `root`, what all ranks passed; None elsewhere."""

def reduce(
    x: Any, op: int, root: int = 0, buffer: Any = None, vanilla: bool = False, bypass: bool = False
) -> Any:
    """Return, at `root`, the sum, or what op says, of the arrays or numbers of all ranks; None elsewhere."""

def abort(code: int = 1) -> None:
    """End all ranks at once."""

def finalize() -> None:
    """Wait for the other ranks, and end MPI. A rank that ends without calling this does so by itself."""
