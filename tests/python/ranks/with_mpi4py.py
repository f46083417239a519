"""libparmap and mpi4py in one program, either of them first."""

import sys

first = sys.argv[1]
if first == "mpi4py":
    from mpi4py import MPI
from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
from mpi4py import MPI  # noqa: E402

world = MPI.COMM_WORLD
assert (world.rank, world.size) == (rank, size)
for i in range(20):
    assert world.bcast(i if rank == 0 else None) == i
    assert mpi.broadcast(i if rank == 0 else None) == i
    if rank == 0:
        for to in range(1, size):
            world.send(i, to)
            mpi.send(-i, to)
    else:
        assert mpi.receive(0) == -i
        assert world.recv(source=0) == i
if len(sys.argv) > 2:
    mpi.finalize()
print(f"rank {rank} is content")
