"""Hundreds of calls leave descriptors, threads, processes and memory as they were."""

import gc
import os
import threading
from pathlib import Path

import pool_items as items
import pytest

from libparmap import BrokenPool, Executor, Pool


def state():
    # A service thread lingers with the descriptors of its pool, for half a second after its last call.
    for thread in threading.enumerate():
        if thread.name == "libparmap-pool":
            thread.join()
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return len(os.listdir("/proc/self/fd")), len(children)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def assert_steady(call, rounds, bytes_a_call):
    for _ in range(rounds // 5):
        call()
    before = state()
    growth = []
    for _ in range(3):
        resident = resident_bytes()
        for _ in range(rounds):
            call()
        gc.collect()
        growth.append(resident_bytes() - resident)
    descriptors, children = state()
    # Two workers more or less, of three descriptors each, may stand at one moment or the other.
    assert descriptors - before[0] <= 6 and children <= 2
    assert min(growth) <= bytes_a_call * rounds, growth


def test_calls_of_a_standing_pool_leak_nothing():
    with Pool(2) as pool:

        def call():
            pool.map(items.square, range(10))
            pool.apply_async(items.square, (1,)).get()
            list(pool.imap(items.square, [1, 2]))
            with pytest.raises(ValueError):
                pool.map(items.fail_at_three, range(5))

        assert_steady(call, 300, 64)


def test_generators_lambdas_and_large_results_leak_nothing():
    with Pool(2) as pool:

        def call():
            list(pool.imap(items.square, iter([1, 2])))
            pool.map(lambda x: x, [1])
            pool.map(bytearray, [1_000_000])

        assert_steady(call, 30, 4096)


def test_deaths_leak_nothing():
    with Pool(2) as pool:

        def call():
            with pytest.raises(BrokenPool):
                pool.map(items.die_at_five, range(10))

        assert_steady(call, 30, 4096)


def test_pools_and_executors_leak_nothing():
    def call():
        with Pool(2) as pool:
            pool.map(items.square, range(4))
        pool.join()
        with Executor(2) as executor:
            executor.submit(items.square, 2).result()
        with Pool(2, executor="threads") as pool:
            pool.map(items.square, range(4))

    assert_steady(call, 20, 16384)


def test_workers_do_not_inherit_the_descriptors_of_other_workers_and_pools():
    """Else a worker would not see the end of its pool while another lives."""
    state()  # nothing of earlier pools lingers on
    with Pool(2) as one, Pool(2) as other:
        before = one.apply(count_descriptors)
        other.map(items.square, range(10), 1)
        assert one.map(lambda x: count_descriptors(), range(4), 1) == [before] * 4


def count_descriptors():
    return len(os.listdir("/proc/self/fd"))
