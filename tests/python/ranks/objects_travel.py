"""Objects of every kind go round a ring of ranks and come as they were sent."""

from array import array

import numpy
from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
right, left = (rank + 1) % size, (rank - 1) % size


def passed_on(x, **options):
    """x as it comes from the left, while it goes to the right. Who sends first differs, so that nobody waits for ever."""
    if size == 1 or rank % 2 == 0:
        mpi.send(x, right, **options)
    received = mpi.receive(left)
    if size > 1 and rank % 2:
        mpi.send(x, right, **options)
    return received


class Point:
    def __init__(self, x):
        self.x = x


for x in (None, 7, 2.5, "text", b"", b"x" * 100_000, "y" * 1_000_000, [1, [2]], {"a": (1, 2)}, array("d", [1, 2])):
    assert passed_on(x) == x
assert passed_on(Point(3)).x == 3

arrays = [
    numpy.arange(5), numpy.arange(12.0).reshape(3, 4), numpy.arange(12).reshape(3, 4).T, numpy.arange(20)[::2],
    numpy.array(3.5), numpy.zeros((0, 3)), numpy.arange(300_000.0), numpy.array([True, False]), numpy.array([1 + 2j]),
    numpy.array(["a", "bcd"]), numpy.array([b"a", b"bcd"]), numpy.arange(3, dtype=">i4"), numpy.float16([1, 2]),
    numpy.array(["2026-11-23"], "M8[D]"), numpy.array([1, None, "x"], object), numpy.array([(1, 2.5)], "i4,f8"),
    numpy.asfortranarray(numpy.arange(200_000.0).reshape(400, 500)),
]  # fmt: skip
for x in arrays:
    for options in ({}, {"vanilla": True}):
        y = passed_on(x, **options)
        assert type(y) is numpy.ndarray and y.dtype == x.dtype and y.shape == x.shape and (y == x).all(), (x, y)
        y[...] = x  # what comes may be written to

# Arrays inside other objects travel beside the pickle, and may be written to as well.
y = passed_on({"large": numpy.ones(50_000), "small": numpy.ones(3)})
assert y["large"].sum() == 50_000 and y["small"].sum() == 3
y["large"][0] = y["small"][0] = 2

matrix = passed_on(numpy.matrix([[1, 2], [3, 4]]))
assert type(matrix) is numpy.matrix and matrix[1, 0] == 3
print(f"rank {rank} is content")
