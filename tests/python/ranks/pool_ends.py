"""The program ends, in the way that the first argument names, amid the work of its pool of ranks."""

import os
import signal
import sys
import threading
import time

from libparmap import Pool, mpi


def sleep(seconds):
    time.sleep(seconds)
    return mpi.rank()


def die_on_rank_1(seconds):
    time.sleep(seconds)
    if mpi.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def start():
    if mpi.rank() == 1:
        raise LookupError("rank 1 does not start")


if __name__ == "__main__":
    how = sys.argv[1]
    pool = Pool(executor="mpi", initializer=start if how == "initializer" else None)
    if how == "initializer":
        try:
            pool.map(sleep, [0.01] * 100)
        except Exception as error:
            print(f"{type(error).__name__}: {error}, because of {error.__cause__}")
            sys.exit(0)
    if how == "interrupt":
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            pool.map(sleep, [0.01] * 100_000)
        except KeyboardInterrupt:
            print("interrupted, and then", sum(pool.map(sleep, [0.01] * 20)) >= 0)
            sys.exit(0)
    pool.map_async(die_on_rank_1 if how == "kill" else sleep, [0.05] * 40)
    if how == "raise":
        raise LookupError("rank 0 has had enough")
    if how == "exit":
        sys.exit(3)
    time.sleep(60)
