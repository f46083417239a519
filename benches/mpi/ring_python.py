"""Objects go to and fro between two ranks: the time of a hop, by libparmap.mpi or by mpi4py.

    mpiexec -n 2 python ring_python.py parmap|objects|arrays
"""

import sys
import time

import numpy

SAMPLES, BUDGET = 7, 0.1
PARCELS = {"word": "a word", "array_800": numpy.arange(100.0), "array_8000000": numpy.arange(1e6)}


def carriers(how):
    """rank, barrier, send(x, to) and receive(source, like)."""
    if how == "parmap":
        from libparmap import mpi

        def receive(source, like):
            return mpi.receive(source, numpy.empty_like(like) if isinstance(like, numpy.ndarray) else None)

        return mpi.rank(), mpi.barrier, mpi.send, receive
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    if how == "objects":
        return world.rank, world.barrier, world.send, lambda source, like: world.recv(source=source)

    def receive(source, like):
        room = numpy.empty_like(like)
        world.Recv(room, source)
        return room

    return world.rank, world.barrier, world.Send, receive


def main():
    how = sys.argv[1]
    rank, barrier, send, receive = carriers(how)
    for name, parcel in PARCELS.items():
        if how == "arrays" and not isinstance(parcel, numpy.ndarray):
            continue
        trips = 20 if name == "array_8000000" else 1000

        def go():
            barrier()
            begin = time.perf_counter()
            for _ in range(trips):
                if rank == 0:
                    send(parcel, 1)
                    receive(1, parcel)
                else:
                    send(receive(0, parcel), 0)
            return (time.perf_counter() - begin) / trips / 2

        go()
        for _ in range(SAMPLES):
            seconds = go()
            if rank == 0:
                print(f"{name}_us {seconds * 1e6:.3f}", flush=True)


main()
