"""Runs one contender on one workload in a process of its own, and notices when other programs disturbed it."""

import os
import resource
import subprocess
import time
from pathlib import Path
from statistics import median

TICKS = os.sysconf("SC_CLK_TCK")
DISTURBED_SHARE = 0.08  # of all CPUs' time, taken by other programs
ATTEMPTS = 4
LOOK_S = 0.2  # how long it looks whether the machine is quiet
QUIET_SHARE = 0.15  # coarse, as such a short look is
DISTURBED_LEAST_S = 0.03  # below this the kernel's own accounting is too coarse


def _busy_s():
    """CPU time that everything on the machine has used; what the hypervisor took counts as well."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def _own_s():
    """CPU time of this program and of the measuring programs that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def cpu_count():
    return len(os.sched_getaffinity(0))


class Failure(Exception):
    """The contender cannot do this workload, or does it wrong; the text says why."""


class Machine:
    """What all measurements of one run share."""

    def __init__(self, program, paths, library, workers, patience_s):
        self.program, self.paths, self.workers = program, paths, workers
        self.patience_s = patience_s  # what is left for waiting and measuring again
        self.libraries = {"parmap": library}
        self.ns_per_item, self.ns_per_round = 0.0, 1.0
        self.disturbed_s = self.measured_s = 0.0

    def add_library(self, name, library):
        self.libraries[name] = library
        self.paths[name] = self.paths["parmap"]

    def calibrate(self, loop):
        samples = self.samples(loop, "calibrate", {}, 50)
        self.ns_per_item, self.ns_per_round = median(samples["ns_per_item"]), median(samples["ns_per_round"])

    def samples(self, contender, workload, parameters, budget_ms):
        """The samples by metric, of the quietest attempt that the run's patience allows."""
        best, quiet = None, False
        for _ in range(ATTEMPTS):
            disturbed, wall, samples = self._attempt(contender, workload, parameters, budget_ms)
            if best is None or disturbed / wall < best[0] / best[1]:
                best = (disturbed, wall, samples)
            quiet = disturbed < max(DISTURBED_LEAST_S, DISTURBED_SHARE * wall * cpu_count())
            if quiet or self.patience_s <= 0:
                break
            self.patience_s -= wall
            self._wait_for_quiet()
        self.disturbed_s += best[0]
        self.measured_s += best[1]
        best[2]["disturbed"] = [0.0 if quiet else 1.0]
        return best[2]

    def _wait_for_quiet(self):
        while self.patience_s > 0:
            busy = _busy_s()
            time.sleep(LOOK_S)
            self.patience_s -= LOOK_S
            if _busy_s() - busy < QUIET_SHARE * LOOK_S * cpu_count():
                break

    def _attempt(self, contender, workload, parameters, budget_ms):
        command = [
            str(self.program),
            str(self.paths[contender.name]),
            contender.symbol,
            str(self.paths["loop"]),
            str(self.workers),
            str(budget_ms),
            repr(self.ns_per_item),
            repr(self.ns_per_round),
            workload,
            *(f"{name}={value}" for name, value in parameters.items()),
        ]
        environment = dict(os.environ, OMP_NUM_THREADS=str(self.workers), **contender.environment)
        if contender.name in self.libraries:
            environment["PARMAP_LIBRARY"] = str(self.libraries[contender.name])
        busy, own, begin = _busy_s(), _own_s(), time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        wall = time.monotonic() - begin
        disturbed = max(0.0, (_busy_s() - busy) - (_own_s() - own))
        if done.returncode != 0:
            raise Failure(done.stderr.strip() or f"ended with status {done.returncode}")
        samples = {}
        for line in done.stdout.splitlines():
            metric, value = line.split()
            samples.setdefault(metric, []).append(float(value))
        return disturbed, wall, samples
