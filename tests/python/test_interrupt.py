"""Ctrl-C during a map."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

# The promise is 0.2 s plus the running items; a loaded machine gets more.
SOON = 5.0


PROLOGUE = """
import ctypes, os, signal, sys, threading, time
from array import array
import libparmap

kernels = ctypes.CDLL(sys.argv[1])
kernels.sleep_ms.argtypes = [ctypes.c_void_p] * 3
kernels.sleep_ms_element.argtypes = [ctypes.c_int64]
kernels.sleep_ms_element.restype = ctypes.c_int64

def ready():
    print("ready", flush=True)
"""


def interrupted(program, kernels_path):
    """Runs a program, sends it SIGINT once it has printed that it is ready, and returns what else it prints."""
    command = [sys.executable, "-c", PROLOGUE + textwrap.dedent(program), kernels_path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("kernel", ["sleep_ms", "sleep_ms_element"])
@pytest.mark.parametrize("progress", ["None", "lambda done, total: None"])
def test_ctrl_c_ends_a_map_of_many_items_soon(kernels_path, kernel, progress):
    program = f"""
        threading.Timer(0.3, ready).start()
        begin = time.monotonic()
        try:
            libparmap.map_buffer(kernels.{kernel}, array("q", [10] * 100_000), progress={progress})
        except KeyboardInterrupt:
            print(time.monotonic() - begin)
    """
    assert float(interrupted(program, kernels_path)) < 0.3 + SOON


def test_no_item_begins_after_ctrl_c(kernels_path):
    program = """
        threading.Timer(0.2, ready).start()
        ran = array("q", [0] * 8)
        try:
            libparmap.map_buffer(kernels.sleep_ms_element, array("q", [2_000] * 8), out=ran)
        except KeyboardInterrupt:
            print(sum(map(bool, ran)))
    """
    assert int(interrupted(program, kernels_path)) <= len(os.sched_getaffinity(0))


def test_a_map_can_follow_an_interrupted_one(kernels_path):
    program = """
        threading.Timer(0.3, ready).start()
        try:
            libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 100_000))
        except KeyboardInterrupt:
            print(libparmap.map_buffer(kernels.sleep_ms, array("q", [1, 2])).tolist())
    """
    assert interrupted(program, kernels_path) == "[1, 2]\n"


def test_a_signal_handler_that_returns_lets_the_map_go_on(kernels_path):
    program = """
        handled = []
        signal.signal(signal.SIGINT, lambda number, frame: handled.append(number))
        threading.Timer(0.3, ready).start()
        result = libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 200))
        print(len(handled), result == array("q", [10] * 200))
    """
    assert interrupted(program, kernels_path) == "1 True\n"


def test_a_map_on_another_thread_is_not_interrupted(kernels_path):
    program = """
        results = []
        def work():
            results.append(libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 100)))
        thread = threading.Thread(target=work)
        thread.start()
        try:
            ready()
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            thread.join()
            print(results == [array("q", [10] * 100)])
    """
    assert interrupted(program, kernels_path) == "True\n"


def test_ctrl_c_works_in_a_child_forked_from_another_thread(kernels_path):
    program = """
        def fork():
            pid = os.fork()
            if pid == 0:
                threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
                try:
                    libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 100_000))
                except KeyboardInterrupt:
                    os._exit(17)
                os._exit(1)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        libparmap.map_buffer(kernels.sleep_ms, array("q", [1] * 8))
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
    """
    command = [sys.executable, "-W", "ignore", "-c", PROLOGUE + textwrap.dedent(program), kernels_path]
    assert subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60).stdout == "17\n"
