"""Pass the parcel: each rank writes its name on it and hands it on, until it is back where it began.

    mpiexec -n 4 python ring.py
"""

from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
print(f"I am rank {rank} of {size} on {mpi.get_processor_name()}", flush=True)

if rank == 0:
    mpi.send("P0", destination=1 % size)
    parcel = mpi.receive(source=size - 1)
    print(f'Rank 0 received "{parcel}" from rank {size - 1}')
else:
    parcel = mpi.receive(source=rank - 1)
    mpi.send(parcel + f"P{rank}", destination=(rank + 1) % size)
