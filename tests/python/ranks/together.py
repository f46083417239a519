"""All ranks broadcast, scatter, gather and reduce objects and arrays."""

from array import array

import numpy
from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
last = size - 1


def at(root, x):
    return x if rank == root else None


for root in {0, last}:
    mpi.barrier()
    for x in (None, {"k": [1]}, "x" * 10_000, b"y" * 1_000_000):
        assert mpi.broadcast(at(root, x), root) == x
    for n in (0, 3, 300_000):
        x = numpy.arange(n, dtype="f4").reshape(-1, 1)
        assert (mpi.broadcast(at(root, x), root) == x).all()
        buffer = x.copy() if rank == root else numpy.zeros_like(x)
        assert mpi.broadcast(buffer, root) is buffer and (buffer == x).all()
        buffer = x.copy() if rank == root else numpy.zeros_like(x)
        assert mpi.broadcast(buffer, root, bypass=True) is buffer and (buffer == x).all()
    constant = numpy.frombuffer(numpy.arange(4.0).tobytes())
    assert mpi.broadcast(at(root, constant), root).sum() == 6

    for n in (1, 50_000):
        x = numpy.arange(2 * n * size).reshape(n * size, 2)
        mine = x[rank * n : (rank + 1) * n]
        assert (mpi.scatter(at(root, x), root) == mine).all()
        buffer = numpy.zeros_like(mine)
        assert mpi.scatter(at(root, x), root, buffer) is buffer and (buffer == mine).all()
        assert (mpi.scatter(at(root, x), root, vanilla=True) == mine).all()
        everything = mpi.gather(mine, root)
        assert everything is None if rank != root else (everything == x).all()
        buffer = numpy.zeros_like(x)
        everything = mpi.gather(mine, root, buffer)
        assert rank != root or everything is buffer and (buffer == x).all()
    assert mpi.scatter(at(root, "äb" * size), root) == "äb"
    assert mpi.scatter(at(root, b"ab" * size), root) == b"ab"
    assert mpi.scatter(at(root, [{"rank": r} for r in range(size)]), root) == {"rank": rank}

    def gathered(x):
        everything = mpi.gather(x, root)
        assert (everything is not None) == (rank == root)
        return everything

    everyone = range(size)
    assert gathered(f"r{rank}") in (None, "".join(f"r{r}" for r in everyone))
    assert gathered(b"x" * rank) in (None, b"".join(b"x" * r for r in everyone))
    assert gathered([rank]) in (None, [[r] for r in everyone])
    assert gathered(rank if rank else ["zero"]) in (None, [["zero"], *range(1, size)])
    everything = gathered(numpy.full(rank + 1, rank))
    assert everything is None or everything.tolist() == [r for r in everyone for _ in range(r + 1)]
    everything = gathered(numpy.float64([2.5])[0:1].reshape(()))
    assert everything is None or everything.tolist() == [2.5] * size

    sums, products = size * (size + 1) // 2, numpy.prod(numpy.arange(1, size + 1))
    for dtype in ("i1", "u1", "i4", "u4", "i8", "u8", "f4", "f8"):
        x = numpy.full((2, 3), rank + 1, dtype)
        for op, result in ((mpi.SUM, sums), (mpi.PROD, products), (mpi.MIN, 1), (mpi.MAX, size)):
            reduced = mpi.reduce(x, op, root)
            assert rank != root or reduced.dtype == x.dtype and (reduced == numpy.full((2, 3), result)).all()
    bits = numpy.array([1 << rank, 7])
    for op, result in ((mpi.BOR, (1 << size) - 1), (mpi.BXOR, (1 << size) - 1), (mpi.BAND, 1 if size == 1 else 0)):
        reduced = mpi.reduce(bits, op, root)
        assert rank != root or reduced[0] == result
    buffer = numpy.zeros(3)
    reduced = mpi.reduce(numpy.ones(3), mpi.SUM, root, buffer, bypass=True)
    assert rank != root or reduced is buffer and buffer.tolist() == [size] * 3
    assert mpi.reduce(rank, mpi.MAX, root) == at(root, last)
    assert mpi.reduce(0.5, mpi.SUM, root) == at(root, size / 2)
    assert mpi.reduce(array("l", [rank, 1]), mpi.SUM, root) == at(root, array("l", [sum(everyone), size]))
    assert mpi.reduce(numpy.arange(4).reshape(2, 2).T, mpi.MAX, root) is None or rank == root
print(f"rank {rank} is content")
