"""Rank 1 ends in the way that the first argument names, while the others wait for it."""

import os
import sys

from libparmap import mpi

how = sys.argv[1]
if mpi.rank() == 1:
    if how == "raise":
        raise LookupError("rank 1 has had enough")
    if how == "chained":
        previous = sys.excepthook
        sys.excepthook = lambda *error: (print("a hook of the program"), previous(*error))
        raise LookupError("rank 1 has had enough")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "exit":
        sys.exit(3)
    if how == "abort":
        print("before the abort")
        mpi.abort(4)
    if how == "kill":
        os.kill(os.getpid(), 9)
mpi.receive(1)
