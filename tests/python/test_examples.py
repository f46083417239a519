"""The examples run as they stand and print what they promise."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import meeting_points
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

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


def test_parallel_fetch_fetches_all_eight_stations(repository):
    printed = printed_by(repository, "parallel_fetch.py").splitlines()
    assert len(printed) == 12 and all(" 365 days, " in line for line in printed[1:9])
    sequential, parallel = (float(line.split()[-2]) for line in printed[9:11])
    assert sequential > 0 and parallel > 0


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """c-examples/parent.c, built as `make demo` builds it, and how it is started."""
    pytest.importorskip("redis")
    library = Path(os.environ.get("LIBPARMAP", REPOSITORY / "target" / "release" / "libparmap.so"))
    folder = tmp_path_factory.mktemp("parent")
    for name in ("libparmap.so", "libparmap.so.0"):
        (folder / name).symlink_to(library)
    subprocess.run(
        [*os.environ.get("CC", "cc").split(), REPOSITORY / "c-examples" / "parent.c", "-o", folder / "parent",
         "-I", REPOSITORY / "include", "-L", folder, "-lparmap", f"-Wl,-rpath,{folder}"], check=True
    )  # fmt: skip
    return [folder / "parent", sys.executable, REPOSITORY / "c-examples" / "python" / "percolation.py"]


def assert_curve(printed):
    *points, summary = printed.splitlines()
    assert [point.split()[0] for point in points] == [f"{p / 100:.2f}" for p in range(53, 66)]
    shares = [float(point.split()[1]) for point in points]
    assert shares[0] < 0.2 and shares[-1] > 0.8
    assert summary.startswith("13 children, ")


def test_the_children_of_parent_meet_and_draw_the_curve(parent):
    environment = {name: value for name, value in os.environ.items() if name != "PAR_SYNC_URL"}
    assert_curve(subprocess.run(parent, env=environment, capture_output=True, text=True, check=True).stdout)


def test_children_leave_nothing_at_a_redis_that_stays():
    redis = pytest.importorskip("redis")
    child = [sys.executable, REPOSITORY / "c-examples" / "python" / "percolation.py", "0.65", "1"]
    with meeting_points.redis() as url:
        for _ in range(2):
            printed = subprocess.run(child, env={**os.environ, "PAR_SYNC_URL": url}, capture_output=True, text=True, check=True)
            assert printed.stdout.startswith("0.65 1.00 ####")
        with redis.Redis.from_url(url) as client:
            assert client.keys() == []


def test_a_parent_whose_children_fail_says_so(parent):
    run = subprocess.run([*parent[:2], "no-such-script.py"], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stdout.startswith("par_run: command 0 ended with exit code 2; ") and "no-such-script.py" in run.stderr


def test_pool_fib_is_pool_fib_today_with_its_import_changed(repository):
    def program(name):
        """Its statements, by what they say and not by how they are laid out."""
        tree = ast.parse((repository / "c-examples" / "python" / name).read_text())
        return [ast.unparse(statement).replace("libparmap", "multiprocessing") for statement in tree.body[1:]]

    ours, theirs = program("pool_fib.py"), program("pool_fib_today.py")
    assert sorted(ours) == sorted(theirs) and "from multiprocessing import Pool" in ours
    assert_table(printed_by(repository, "pool_fib.py"), ["1346269", "832040", "514229", "317811", "196418", "121393"])


def test_an_example_without_the_library_says_how_to_get_it(repository):
    run = subprocess.run(
        [sys.executable, repository / "c-examples" / "python" / "ctypes_fib.py"],
        env={**os.environ, "LIBPARMAP": "/nowhere/libparmap.so"}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 1
    assert "/nowhere/libparmap.so is not there: run `cargo build --release`, or set LIBPARMAP" in run.stderr
