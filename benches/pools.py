#!/usr/bin/env python3
"""libparmap.Pool beside its peers: multiprocessing.Pool, ProcessPoolExecutor, loky, joblib and mpire, in one run.

    benches/pools.py [--rounds 7] [--workers N] [--row NAME,...]

Each measurement is a process of its own. A round measures every contender once, in a new order; the table shows the
medians of the rounds, and how many times as long as ours each peer took in the same round. It makes a venv of its own
in target/bench/pools; peers that cannot be installed there are named as missing. The table goes to target/bench/pools.md.
"""

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILT = ROOT / "target" / "bench"
PATIENCE = 60  # seconds for one measurement
PEERS = ["numpy", "loky", "joblib", "mpire"]

# ---- the items -------------------------------------------------------------------------------------------------


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def square(x):
    return x * x


def array_of_8_mb(value):
    import numpy

    return numpy.full(1_000_000, float(value))


# ---- the contenders: each opens a pool and gives its map, which answers with a list ----------------------------


def open_libparmap(workers):
    import libparmap

    pool = libparmap.Pool(workers)
    return pool.map, pool.terminate


def open_multiprocessing(workers):
    import multiprocessing

    pool = multiprocessing.get_context("fork").Pool(workers)
    return pool.map, pool.terminate


def open_process_pool_executor(workers):
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"))

    def map(function, items):
        # Its default is one item at a time; this is what multiprocessing.Pool would choose.
        return list(executor.map(function, items, chunksize=max(1, -(-len(items) // (4 * workers)))))

    return map, executor.shutdown


def open_loky(workers):
    import loky

    executor = loky.get_reusable_executor(workers)

    def map(function, items):
        return list(executor.map(function, items, chunksize=max(1, -(-len(items) // (4 * workers)))))

    return map, lambda: executor.shutdown(kill_workers=True)


def open_joblib(workers):
    import joblib

    parallel = joblib.Parallel(workers).__enter__()
    return lambda function, items: parallel(map(joblib.delayed(function), items)), lambda: None


def open_mpire(workers):
    import mpire

    pool = mpire.WorkerPool(workers, start_method="fork", keep_alive=True)

    def map(function, items):
        # It unpacks tuples and arrays; for plain numbers that is the same. A range must be a list for it.
        return pool.map(function, list(items))

    return map, pool.terminate


CONTENDERS = {
    "libparmap.Pool": ("libparmap", open_libparmap),
    "multiprocessing.Pool": ("multiprocessing", open_multiprocessing),
    "ProcessPoolExecutor": ("concurrent.futures", open_process_pool_executor),
    "loky": ("loky", open_loky),
    "joblib": ("joblib", open_joblib),
    "mpire": ("mpire", open_mpire),
}
OURS = "libparmap.Pool"

# ---- the rows: each answers with seconds -----------------------------------------------------------------------


def time_to_first_result(open_pool, workers):
    begin = time.perf_counter()
    map, close = open_pool(workers)
    assert map(square, [3]) == [9]
    seconds = time.perf_counter() - begin
    close()
    return seconds


def fibonacci(open_pool, workers):
    begin = time.perf_counter()
    map, close = open_pool(workers)
    assert map(fib, [29, 28, 27, 26, 25, 24])[0] == 514229
    seconds = time.perf_counter() - begin
    close()
    return seconds


def on_a_standing_pool(open_pool, workers, work, repeats):
    map, close = open_pool(workers)
    map(square, range(8 * workers))
    samples = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work(map)
        samples.append(time.perf_counter() - begin)
    close()
    return median(samples)


def tiny_items(open_pool, workers):
    def work(map):
        assert len(map(square, numbers)) == 100_000

    numbers = list(range(100_000))
    return on_a_standing_pool(open_pool, workers, work, 5)


def large_arrays(open_pool, workers):
    def work(map):
        arrays = map(array_of_8_mb, range(100))
        assert sum(int(array.sum()) for array in arrays) == 4950 * 1_000_000

    return on_a_standing_pool(open_pool, workers, work, 1)


def small_maps(open_pool, workers):
    def work(map):
        assert map(square, range(8))[7] == 49

    return on_a_standing_pool(open_pool, workers, work, 300)


ROWS = {
    "first": ("time to first result, ms", 1e3, time_to_first_result),
    "fib": ("fib 29, 28, 27, 26, 25, 24 in Python, ms", 1e3, fibonacci),
    "tiny": ("100 000 tiny items, ms", 1e3, tiny_items),
    "arrays": ("100 results of 8 MB, ms", 1e3, large_arrays),
    "small": ("8 tiny items on a standing pool, us", 1e6, small_maps),
}

# ---- the run ---------------------------------------------------------------------------------------------------


def measure_here(row, contender, workers):
    """In a process of its own. What a program has imported before it makes its first pool does not count."""
    module, open_pool = CONTENDERS[contender]
    importlib.import_module(module)
    if contender == OURS:
        import libparmap

        libparmap.Pool  # imported on first use
    if row == "arrays":
        importlib.import_module("numpy")
    print(json.dumps(ROWS[row][2](open_pool, workers)))


def in_own_venv():
    """Runs this program again where ours and the peers are installed."""
    venv = BUILT / "pools"
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        for peer in PEERS:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", peer])
    ours = ROOT / "c-examples" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", ours], check=True)
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def is_missing(contender):
    return importlib.util.find_spec(CONTENDERS[contender][0]) is None


def measure(row, contender, workers):
    command = [sys.executable, __file__, "--measure", f"{row}:{contender}", "--workers", str(workers)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"  {contender} at {row}: took longer than {PATIENCE} s", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"  {contender} at {row}: {done.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measured(rows, contenders, rounds, workers):
    taken = {row: {contender: [] for contender in contenders} for row in rows}
    for row in rows:
        for _ in range(rounds):
            for contender in random.sample(contenders, len(contenders)):
                refused = None in taken[row][contender]
                taken[row][contender].append(None if refused else measure(row, contender, workers))
    return taken


def table(taken, contenders):
    lines = ["| | " + " | ".join(contenders) + " |", "|---" * (len(contenders) + 1) + "|"]
    for row, by_contender in taken.items():
        title, scale, _ = ROWS[row]
        cells = []
        for contender in contenders:
            pairs = [(one, ours) for one, ours in zip(by_contender[contender], by_contender[OURS]) if one and ours]
            if not pairs:
                cells.append("-")
                continue
            cells.append(f"{median(one for one, _ in pairs) * scale:.3g}")
            if contender != OURS:
                cells[-1] += f" ({median(one / ours for one, ours in pairs):.2f} x)"
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="libparmap.Pool beside its peers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--row", default=",".join(ROWS), help="rows by name: " + ", ".join(ROWS))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure_here(*arguments.measure.split(":"), arguments.workers)
    if Path(sys.prefix) != BUILT / "pools":
        in_own_venv()
    contenders = [contender for contender in CONTENDERS if not is_missing(contender)]
    taken = measured(arguments.row.split(","), contenders, arguments.rounds, arguments.workers)
    texts = [f"{arguments.workers} workers, Python {sys.version.split()[0]}, medians of {arguments.rounds} rounds; "
             "x: how many times as long as libparmap.Pool"]  # fmt: skip
    texts += [f"Missing: {contender}" for contender in CONTENDERS if contender not in contenders]
    texts.append(table(taken, contenders))
    (BUILT / "pools.md").write_text("\n\n".join(texts) + "\n")
    print("\n\n".join(texts))


if __name__ == "__main__":
    main()
