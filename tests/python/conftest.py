"""The C functions that the tests map, and the record of what was skipped."""

import ctypes
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
import watched  # noqa: F401

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

ELEMENTS = {"double": ctypes.c_double, "float": ctypes.c_float, "int64": ctypes.c_int64, "int32": ctypes.c_int32}


@pytest.fixture(scope="session")
def kernels_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("kernels") / "kernels.so"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-O2", "-shared", "-fPIC", "-o", path, HERE / "kernels.c"], check=True)
    return path


@pytest.fixture(scope="session")
def kernels(kernels_path):
    """kernels.c through ctypes, the types of every function declared."""
    library = ctypes.CDLL(str(kernels_path))
    for name, element in ELEMENTS.items():
        plus_one, plus = library[f"{name}_plus_one"], library[f"{name}_plus"]
        plus_one.restype, plus_one.argtypes = element, [element]
        plus.restype, plus.argtypes = element, [element, ctypes.c_void_p]
        setattr(library, f"{name}_plus_one", plus_one)
        setattr(library, f"{name}_plus", plus)
    library.sleep_ms_element.restype, library.sleep_ms_element.argtypes = ctypes.c_int64, [ctypes.c_int64]
    for name in ("item_plus_one", "sum_of_row", "fail_unless_zero", "exit_unless_zero", "sleep_ms", "is_null",
                 "byte_plus_one"):  # fmt: skip
        getattr(library, name).argtypes = [ctypes.c_void_p] * 3
    return library


@pytest.fixture(scope="module", autouse=True)
def pools_are_at_rest_afterwards():
    """A pool's service thread stays for a moment; what follows may count references and descriptors."""
    yield
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("libparmap-") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.fixture
def repository():
    return REPOSITORY


def pytest_terminal_summary(terminalreporter):
    """A line for each skipped test in the file that PAR_SKIPS names."""
    path = Path(os.environ.get("PAR_SKIPS", REPOSITORY / "target" / "skips.txt"))
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as skips:
            for report in skipped:
                reason = report.longrepr[2].removeprefix("Skipped: ")
                name = report.nodeid.rpartition("/")[2]
                skips.write(f"{os.environ.get('PAR_SKIPS_PREFIX', '')}{name}: {reason}\n")
