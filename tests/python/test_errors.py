"""Failing items, deadlines, and options that cannot be."""

import ctypes
import pickle
import subprocess
import sys
import time
from array import array

import pytest

import libparmap


@pytest.mark.parametrize("failing", [0, 500, 999])
def test_a_failing_item_raises_with_its_index_and_code(kernels, failing):
    values = array("q", bytes(8000))
    values[failing] = 7
    with pytest.raises(libparmap.ItemError, match=f"item {failing} failed: the function returned 7") as caught:
        libparmap.map_buffer(kernels.fail_unless_zero, values)
    assert (caught.value.index, caught.value.code) == (failing, 7)


def test_a_function_may_return_any_code(kernels):
    for code in (-1, 1, 2**31 - 1, -(2**31)):
        with pytest.raises(libparmap.ItemError) as caught:
            libparmap.map_buffer(kernels.fail_unless_zero, array("q", [code]))
        assert caught.value.code == code


def test_an_item_whose_worker_died_is_told_with_what_it_died_of(kernels):
    with pytest.raises(libparmap.ItemError, match=r"item 1 ended its worker with exit code 3") as caught:
        libparmap.map_buffer(kernels.exit_unless_zero, array("q", [0, 7]), executor="processes")
    assert (caught.value.index, caught.value.code) == (1, 3)


def test_an_item_error_survives_pickling(kernels):
    with pytest.raises(libparmap.ItemError) as caught:
        libparmap.map_buffer(kernels.fail_unless_zero, array("q", [0, 7]))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, libparmap.ItemError) and isinstance(copy, RuntimeError)
    assert (copy.index, copy.code, str(copy)) == (1, 7, str(caught.value))


def test_a_map_can_follow_a_failed_one(kernels):
    with pytest.raises(libparmap.ItemError):
        libparmap.map_buffer(kernels.fail_unless_zero, array("q", [1] * 100))
    assert libparmap.map_buffer(kernels.item_plus_one, array("q", [1])) == array("q", [2])


def test_a_timeout_stops_the_map_and_raises(kernels):
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        libparmap.map_buffer(kernels.sleep_ms, array("q", [20] * 1000), workers=2, timeout=0.1)
    assert time.monotonic() - begin < 5


def test_a_map_within_its_timeout_returns(kernels):
    for timeout in (60, 0.0001 + 60, float("inf"), 10**12):
        assert libparmap.map_buffer(kernels.sleep_ms, array("q", [1]), timeout=timeout) == array("q", [1])


@pytest.mark.parametrize("timeout", [0, -1, -0.5, float("nan"), float("-inf")])
def test_a_timeout_that_has_passed_already_is_refused(kernels, timeout):
    with pytest.raises(ValueError, match="timeout is .*: pass seconds above 0, or None"):
        libparmap.map_buffer(kernels.sleep_ms, array("q", [1]), timeout=timeout)


@pytest.mark.parametrize("timeout", [True, "1", [1]])
def test_a_timeout_that_is_no_number_is_refused(kernels, timeout):
    with pytest.raises(TypeError, match="timeout is .*: pass seconds, or None"):
        libparmap.map_buffer(kernels.sleep_ms, array("q", [1]), timeout=timeout)


@pytest.mark.parametrize("workers", [1, 2, 7, 64])
def test_any_number_of_workers_gives_the_same_results(kernels, workers):
    values = array("d", range(10_000))
    assert libparmap.map_buffer(kernels.double_plus_one, values, workers=workers) == array("d", range(1, 10_001))


@pytest.mark.parametrize("workers", [0, -1, 2**64])
def test_a_number_of_workers_that_cannot_be_is_refused(kernels, workers):
    with pytest.raises(ValueError, match="workers is .*: pass a whole number from 1, or None"):
        libparmap.map_buffer(kernels.item_plus_one, array("q", [1]), workers=workers)


@pytest.mark.parametrize("workers", [True, 1.0, "2"])
def test_workers_that_are_no_whole_number_are_refused(kernels, workers):
    with pytest.raises(TypeError, match="workers is .*: pass a whole number from 1, or None"):
        libparmap.map_buffer(kernels.item_plus_one, array("q", [1]), workers=workers)


@pytest.mark.parametrize("executor", ["fibers", "", None, 0, ["threads"]])
def test_an_unknown_executor_is_refused(kernels, executor):
    with pytest.raises(ValueError, match='executor is .*: pass "threads", "processes" or "mpi"'):
        libparmap.map_buffer(kernels.item_plus_one, array("q", [1]), executor=executor)


@pytest.mark.parametrize("executor", ["threads", "processes", "mpi"])
def test_every_executor_gives_the_same_results(kernels, executor):
    values = array("q", range(1000))
    for function in (kernels.item_plus_one, kernels.int64_plus_one):
        assert libparmap.map_buffer(function, values, executor=executor) == array("q", range(1, 1001))
    libparmap.map_buffer(kernels.int64_plus, values, values, executor=executor, user_data=ctypes.c_int64(5))
    assert values == array("q", range(5, 1005))
    with pytest.raises(libparmap.ItemError) as caught:
        libparmap.map_buffer(kernels.fail_unless_zero, array("q", [0, 7]), executor=executor)
    assert (caught.value.index, caught.value.code) == (1, 7)


def test_a_bad_number_of_workers_in_the_environment_is_quoted(kernels_path):
    program = (
        "import ctypes, libparmap\n"
        f"f = ctypes.CDLL({str(kernels_path)!r}).double_plus_one\n"
        "libparmap.map_buffer(f, bytearray(8), bytearray(8), signature='int (void *, void *, void *)')"
    )
    run = subprocess.run([sys.executable, "-c", program], env={"PAR_NUM_WORKERS": "many"}, capture_output=True, text=True)
    assert "ValueError" in run.stderr and "many" in run.stderr


def test_the_extension_checks_its_own_arguments():
    with pytest.raises(TypeError, match="takes 10 arguments, not 1"):
        libparmap._core.map_buffer(1)


def test_options_are_passed_by_name(kernels):
    with pytest.raises(TypeError, match="positional"):
        libparmap.map_buffer(kernels.item_plus_one, array("q", [1]), None, "q")
