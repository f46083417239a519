"""What the Fibonacci examples share: the numbers, the C function, and the table they print."""

import ctypes
import os
import subprocess
from pathlib import Path

NUMBERS = [38, 37, 36, 35, 34, 33]

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target"


def library_path():
    """libparmap.so: where LIBPARMAP says, or where cargo build --release puts it."""
    path = Path(os.environ.get("LIBPARMAP", TARGET / "release" / "libparmap.so"))
    if not path.exists():
        raise SystemExit(f"{path} is not there: run `cargo build --release`, or set LIBPARMAP to the library's path.")
    return str(path)


def kernel_path():
    """The shared library with fib_item, compiled when it is missing or older than its source."""
    source, library = HERE / "fib_kernel.c", TARGET / "python" / "fib_kernel.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        library.parent.mkdir(parents=True, exist_ok=True)
        half_done = library.with_suffix(f".{os.getpid()}")
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-O2", "-shared", "-fPIC", "-o", half_done, source], check=True)
        half_done.replace(library)
    return str(library)


def fib_item():
    """fib_item through ctypes, its types declared."""
    function = ctypes.CDLL(kernel_path()).fib_item
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = ctypes.c_int
    return function


def one_after_the_other(function, numbers, answers):
    """The plain loop that a parallel map competes with, over two ctypes arrays of long long."""
    size = ctypes.sizeof(numbers._type_)
    src, out = ctypes.addressof(numbers), ctypes.addressof(answers)
    for i in range(len(numbers)):
        function(src + i * size, out + i * size, None)


def print_table(title, numbers, answers, sequential, parallel):
    print(title)
    print("  fib of              ", *(f"{number:>9}" for number in numbers))
    print("  is                  ", *(f"{answer:>9}" for answer in answers))
    print(f"  one after the other  {sequential:8.3f} s")
    print(f"  in parallel          {parallel:8.3f} s")
    print(f"  speed-up             {sequential / parallel:8.2f} x")
