"""python_host.py WAY N WORKERS MEGABYTES: from a Python that holds that much memory. Prints the seconds it took."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

COMMAND = ["/bin/true"]


def threads(n, workers):
    def run(_):
        return subprocess.run(COMMAND, capture_output=True, check=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, range(n)))


def parmap(n, workers):
    libparmap.run([COMMAND] * n, workers=workers, check=True)


way, n, workers, megabytes = sys.argv[1], *map(int, sys.argv[2:])
if way == "parmap":
    import libparmap
held = bytearray(b"\1" * 4096) * (megabytes << 8)
begin = time.perf_counter()
{"threads": threads, "parmap": parmap}[way](n, workers)
print(f"{time.perf_counter() - begin:.6f}")
