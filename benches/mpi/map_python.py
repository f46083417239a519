"""The time of a map of Python functions over all ranks: `fib` (six items, the dearest first) or `small` (a million).

    mpiexec -n 2 python map_python.py pool fib
    mpiexec -n 2 python -m mpi4py.futures map_python.py futures fib
"""

import sys
import time

REPEATS = 3


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def square(x):
    return x * x


WORKLOADS = {
    # function, items, chunk size that a knowing user of mpi4py.futures chooses
    "fib": (fib, range(28, 22, -1), 1),
    "small": (square, range(1_000_000), 5_000),
}


def measure(run, items, results):
    for _ in range(REPEATS):
        begin = time.perf_counter()
        answer = run()
        print(f"time_s {time.perf_counter() - begin:.6f}", flush=True)
        assert list(answer) == results


def main():
    how, workload = sys.argv[1:]
    function, items, chunk = WORKLOADS[workload]
    results = [function(item) for item in items] if workload == "small" else [317811, 196418, 121393, 75025, 46368, 28657]
    if how == "pool":
        from libparmap import Pool

        with Pool(executor="mpi") as pool:
            pool.map(square, range(10))
            measure(lambda: pool.map(function, items), items, results)
    else:
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor() as executor:
            list(executor.map(square, range(10)))
            measure(lambda: list(executor.map(function, items, chunksize=chunk)), items, results)


if __name__ == "__main__":
    main()
