"""What a type checker sees."""

import subprocess
import sys
from importlib import resources

import pytest

import libparmap

# The pool's own modules have neither stubs nor annotations: what users see of them stands in __init__.pyi.
CONFIGURATION = """
[mypy]
[mypy-tqdm,joblib.*,cloudpickle,threadpoolctl]
ignore_missing_imports = True
[mypy-libparmap.pools.*]
ignore_errors = True
"""

PROGRAM = """
from array import array
import libparmap

out = bytearray(8)
assert_is_bytearray: bytearray = libparmap.map_buffer((1, "double (double)"), b"", out, workers=2)
made_for_bytes: bytearray = libparmap.map_buffer(1, b"", signature="int (void *, void *, void *)")
made_for_array: array[float] = libparmap.map_buffer(1, array("d"), progress=lambda done, total: None, timeout=0.5)
count: int = libparmap.cpu_count()
version: str = libparmap.__version__

@libparmap.callback("double (double)")
def half(value: float) -> float:
    return value / 2

value: float = half(3.0)

try:
    libparmap.map_buffer(half, array("d"), progress=True, executor="processes")
except libparmap.ItemError as error:
    index: int = error.index
    code: int = error.code

with libparmap.Pool(2, on_crash="continue") as pool:
    texts: list[str] = pool.map(str, [1, 2], timeout=3.0, progress=True)
    later: list[int] = pool.map_async(len, ["a"]).get(1)
    first: int = next(pool.imap(len, ["a"]))
with libparmap.Executor(max_workers=2) as executor:
    result: int = executor.submit(len, "a").result()
    results: list[int] = list(executor.map(len, ["a"]))
try:
    pass
except libparmap.BrokenPool as broken:
    which: int | None = broken.item

libparmap.map_buffer(half, array("d"), executor="fibers")
libparmap.map_buffer(half, 3)
half("text")
"""


@pytest.fixture
def mypy(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)

    def run(*arguments):
        return subprocess.run([sys.executable, "-m", *arguments], cwd=tmp_path, capture_output=True, text=True)

    return run


def test_the_package_says_that_it_is_typed():
    files = resources.files(libparmap)
    assert (files / "py.typed").is_file() and (files / "__init__.pyi").is_file()


def test_the_stubs_agree_with_the_package(mypy, tmp_path):
    # joblib has no types, so mypy does not see the metaclass of its classes.
    (tmp_path / "allowed").write_text("libparmap.pools.joblib_backend.Backend\n")
    run = mypy(
        "mypy.stubtest", "libparmap", "--ignore-missing-stub", "--mypy-config-file", "mypy.ini",
        "--allowlist", "allowed", "--ignore-unused-allowlist",
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_right_programs_pass_and_wrong_calls_are_found(mypy, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    run = mypy("mypy", "--strict", "program.py")
    found = [line for line in run.stdout.splitlines() if "error:" in line]
    lines = PROGRAM.splitlines()
    wrong = [lines.index(line) + 1 for line in lines if '"fibers"' in line or ", 3)" in line or '("text")' in line]
    assert sorted({int(line.split(":")[1]) for line in found}) == wrong, run.stdout
