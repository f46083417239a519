"""map_buffer over ranks: every rank makes the same call, rank 0's items travel, and the results come to all."""

import ctypes
import sys
from array import array

import libparmap
from libparmap import mpi

kernels = ctypes.CDLL(sys.argv[1])
kernels.double_plus_one.restype, kernels.double_plus_one.argtypes = ctypes.c_double, [ctypes.c_double]
for name in ("item_plus_one", "fail_unless_zero"):
    getattr(kernels, name).argtypes = [ctypes.c_void_p] * 3

here = mpi.rank() == 0
for n in (0, 1, 10, 100_000):
    src = array("q", range(n)) if here else array("q", bytes(8 * n))
    assert libparmap.map_buffer(kernels.item_plus_one, src, executor="mpi") == array("q", range(1, n + 1))
    src = array("d", range(n)) if here else array("d", bytes(8 * n))
    assert libparmap.map_buffer(kernels.double_plus_one, src, executor="mpi") == array("d", range(1, n + 1))
src = array("q", [0, 7, 0]) if here else array("q", bytes(24))
try:
    libparmap.map_buffer(kernels.fail_unless_zero, src, executor="mpi")
except libparmap.ItemError as error:
    assert (error.index, error.code) == (1, 7)
else:
    raise AssertionError("nothing was raised")
print(f"rank {mpi.rank()} is content")
