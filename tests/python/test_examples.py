"""The examples run as they stand and print what they promise."""

import os
import subprocess
import sys

import pytest

FIBONACCI_NUMBERS = ["39088169", "24157817", "14930352", "9227465", "5702887", "3524578"]


def printed_by(repository, example):
    environment = {"LIBPARMAP": str(repository / "target" / "release" / "libparmap.so"), **os.environ}
    run = subprocess.run(
        [sys.executable, repository / "c-examples" / "python" / example],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def assert_table(printed, answers):
    rows = printed.splitlines()
    assert rows[1].split()[:2] == ["fib", "of"]
    assert rows[2].split() == ["is", *answers]
    for row, name, unit in zip(rows[3:], ["one after the other", "in parallel", "speed-up"], "ssx"):
        assert row.strip().startswith(name) and row.endswith(unit)
        assert float(row.split()[-2]) > 0


def test_extension_fib_prints_the_table(repository):
    assert_table(printed_by(repository, "extension_fib.py"), FIBONACCI_NUMBERS)


def test_ctypes_fib_prints_the_table_and_survives_python_callbacks(repository):
    printed = printed_by(repository, "ctypes_fib.py")
    assert_table(printed, FIBONACCI_NUMBERS)
    assert "a Python callback on native threads, under the GIL: 1444 1369 1296 1225 1156 1089" in printed
    assert "a callback that raised" in printed and "because of ZeroDivisionError" in printed


def test_cffi_map_prints_the_table_and_survives_python_callbacks(repository):
    pytest.importorskip("cffi")
    printed = printed_by(repository, "cffi_map.py")
    assert_table(printed, FIBONACCI_NUMBERS)
    assert "a Python callback on native threads, under the GIL: 1444 1369 1296 1225 1156 1089" in printed
    assert "a callback that raised: par_map: item 3" in printed and "because of ZeroDivisionError" in printed


def test_pool_fib_today_prints_the_table(repository):
    printed = printed_by(repository, "pool_fib_today.py")
    assert_table(printed, ["1346269", "832040", "514229", "317811", "196418", "121393"])
    assert "smaller numbers" in printed


def test_an_example_without_the_library_says_how_to_get_it(repository):
    run = subprocess.run(
        [sys.executable, repository / "c-examples" / "python" / "ctypes_fib.py"],
        env={**os.environ, "LIBPARMAP": "/nowhere/libparmap.so"}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 1
    assert "/nowhere/libparmap.so is not there: run `cargo build --release`, or set LIBPARMAP" in run.stderr
