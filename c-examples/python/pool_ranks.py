"""A Pool whose workers are the ranks of an MPI program, on one machine or on a hundred.

    mpiexec -n 4 python pool_ranks.py
"""

from collections import Counter

from libparmap import Pool, mpi


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work(n):
    return fib(n), mpi.rank()


if __name__ == "__main__":
    # Ranks other than 0 wait for work inside Pool(), and end with the program: what follows is for rank 0 alone.
    with Pool(executor="mpi") as pool:
        results = pool.map(work, range(25, 5, -1))

    print("fib of 25 to 6:", *(number for number, _ in results))
    for rank, items in sorted(Counter(rank for _, rank in results).items()):
        print(f"rank {rank} computed {items} of them")
