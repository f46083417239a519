"""The GIL, concurrent maps, and forked children."""

import ctypes
import multiprocessing
import os
import threading
import time
from array import array

import pytest

import libparmap


def test_other_python_threads_run_during_a_map(kernels):
    """A map that held the GIL would leave the other thread no turn at all."""
    turns = []
    stop = threading.Event()

    def take_turns():
        while not stop.is_set():
            turns.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=take_turns)
    thread.start()
    begin = time.monotonic()
    libparmap.map_buffer(kernels.sleep_ms, array("q", [300]), workers=1)
    end = time.monotonic()
    stop.set()
    thread.join()
    assert sum(begin < turn < end for turn in turns) > 10


def test_items_run_at_the_same_time(kernels):
    """Four sleeps of half a second, on four workers, take less than the two seconds of the loop."""
    begin = time.monotonic()
    libparmap.map_buffer(kernels.sleep_ms, array("q", [500] * 4), workers=4)
    assert time.monotonic() - begin < 1.9


def test_many_python_threads_map_at_once(kernels):
    failures = []

    def work(number):
        values = array("q", [number] * 1000)
        for _ in range(50):
            if libparmap.map_buffer(kernels.int64_plus_one, values) != array("q", [number + 1] * 1000):
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_can_map_again(kernels):
    values = array("d", range(100_000))
    expected = array("d", range(1, 100_001))
    assert libparmap.map_buffer(kernels.double_plus_one, values) == expected
    child = os.fork()
    if child == 0:
        os._exit(0 if libparmap.map_buffer(kernels.double_plus_one, values) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def map_in_a_worker(path):
    function = ctypes.CDLL(path).double_plus_one
    return libparmap.map_buffer(function, array("d", range(1000)), signature="double (double)").tolist()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_workers_of_multiprocessing_can_map(kernels_path, method):
    libparmap.map_buffer(ctypes.CDLL(str(kernels_path)).sleep_ms, array("q", [1] * 4), signature="int(void*,void*,void*)")
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map_async(map_in_a_worker, [str(kernels_path)] * 4).get(60)
    assert results == [[float(i) for i in range(1, 1001)]] * 4


def test_cpu_count_is_what_this_process_may_use():
    assert 1 <= libparmap.cpu_count() <= len(os.sched_getaffinity(0))
