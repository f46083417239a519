"""A rank that waits burns no core, runs signal handlers, lets other threads in, may fork, and can be interrupted."""

import os
import signal
import threading
import time

from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
pids = mpi.broadcast(mpi.gather(os.getpid()))
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(time.monotonic()))


def tell(rank, number):
    os.kill(pids[rank], number)


if rank == 0:
    # One second in which rank 0 waits: first for rank 1, then for everybody.
    for wait in (lambda: mpi.receive(1), mpi.barrier):
        burnt, began = time.process_time(), time.monotonic()
        wait()
        assert time.monotonic() - began > 0.5 and time.process_time() - burnt < 0.4, time.process_time() - burnt
    assert len(seen) == 2 and seen[1] - seen[0] > 0.5

    # Ctrl-C ends a wait for a message, and no message is lost by it.
    mpi.send("now", 1)
    try:
        mpi.receive(1)
    except KeyboardInterrupt:
        mpi.send("go on", 1)
    assert mpi.receive(1) == "late"

    # While one thread waits for a message, another sends and receives.
    late = []
    thread = threading.Thread(target=lambda: late.append(mpi.receive(1, tag=5)))
    thread.start()
    for i in range(200):
        mpi.send(i, 1, tag=6)
        assert mpi.receive(1, tag=6) == -i
    # A child forked meanwhile is told that it is no rank, and waits for nobody.
    for _ in range(5):
        child = os.fork()
        if child == 0:
            try:
                mpi.barrier()
            except Exception as error:
                os._exit(0 if "forked from rank 0" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0) == (child, 0)
    mpi.send(None, 1, tag=7)
    thread.join()
    assert late == ["at last"]
elif rank == 1:
    for end_the_wait in (lambda: mpi.send("done", 0), mpi.barrier):
        time.sleep(0.7)
        tell(0, signal.SIGUSR1)
        time.sleep(0.3)
        end_the_wait()
    assert mpi.receive(0) == "now"
    time.sleep(0.3)
    tell(0, signal.SIGINT)
    assert mpi.receive(0) == "go on"
    mpi.send("late", 0)
    for i in range(200):
        assert mpi.receive(0, tag=6) == i
        mpi.send(-i, 0, tag=6)
    mpi.receive(0, tag=7)
    mpi.send("at last", 0, tag=5)
else:
    mpi.barrier()
print(f"rank {rank} is content")
