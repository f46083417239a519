"""A mistake on one rank is raised on every rank, and all go on."""

import numpy
from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
last = size - 1
unpicklable = lambda: None  # noqa: E731


def raised(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


for root in {0, last}:
    error = raised(mpi.broadcast, unpicklable if rank == root else None, root)
    assert rank == root or str(error) == f"broadcast: rank {root} could not pickle what it passed"
    error = raised(mpi.gather, unpicklable if rank == last else 1, root)
    assert rank == last or str(error) == f"gather: rank {last} could not pass on what it was given"
    error = raised(mpi.gather, numpy.zeros(3), root, numpy.zeros(3 * size + 1))
    assert rank != root or "buffer has type float64 and shape" in str(error)
    for x in (numpy.zeros(3 * size + 1) if size > 1 else [1, 2], [0] * (size + 1), [unpicklable] * size, 5):
        error = raised(mpi.scatter, x if rank == root else None, root)
        assert rank == root or "could not share out what it passed" in str(error), error
    for x, op in ((numpy.zeros(2, "f2"), mpi.SUM), (numpy.zeros(2), mpi.BOR), (numpy.zeros(2), 99), ("word", mpi.SUM),
                  (2**70, mpi.SUM), (None, mpi.SUM)):  # fmt: skip
        error = raised(mpi.reduce, x if rank == last else numpy.zeros(2), op if rank == last else mpi.SUM, root)
        assert rank == last or str(error) == f"reduce: rank {last} passed what cannot be reduced", error
    if size > 1:
        for x in (numpy.zeros(3), numpy.zeros(2, "i4")):
            error = raised(mpi.reduce, x if rank == last else numpy.zeros(2), mpi.SUM, root)
            assert "the ranks pass different types, lengths or operations" in str(error)
    if size > 1 and root != last:
        read_only = numpy.frombuffer(bytes(8)) if rank == last else None
        for call in (
            lambda: mpi.broadcast(numpy.zeros(1) if rank == root else read_only, root),
            lambda: mpi.scatter(numpy.zeros(size) if rank == root else None, root, read_only),
            lambda: mpi.scatter(["a"] * size if rank == root else None, root, read_only),
        ):
            assert type(raised(call)) is BufferError if rank == last else call() is not None
    assert mpi.broadcast("still here" if rank == root else None, root) == "still here"

assert "destination is 99, but ranks go from 0" in str(raised(mpi.send, 1, 99))
assert "source is 99, but ranks go from 0" in str(raised(mpi.receive, 99))
assert "tag is -5" in str(raised(lambda: mpi.send(1, 0, tag=-5)))
assert "root is 99, but ranks go from 0" in str(raised(lambda: mpi.broadcast(numpy.zeros(1), 99, bypass=True)))
for destination in ("0", 1.5, None):
    assert type(raised(mpi.send, 1, destination)) is TypeError
assert "would wait for ever" in str(raised(mpi.receive, rank))
mpi.barrier()
print(f"rank {rank} is content")
