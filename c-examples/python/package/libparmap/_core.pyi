# The extension, private to the package: libparmap.map_buffer turns options into the numbers that this takes.

from typing import Any, Final

from libparmap import ItemError as ItemError

__version__: Final[str]
THREADS: Final[int]
PROCESSES: Final[int]
MPI: Final[int]

def map_buffer(
    func: Any, stop: Any, signature: Any, user_data: Any, src: Any, out: Any,
    workers: int, executor: int, timeout_ms: int, progress: Any, /,
) -> None: ...
def normal_signature(signature: str, /) -> str: ...
def cpu_count() -> int: ...
