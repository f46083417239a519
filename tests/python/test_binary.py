"""The built extension: one binary for every version, showing nothing but its init function."""

import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

import libparmap
from libparmap import _core

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def symbols(*options):
    run = subprocess.run(["nm", "--dynamic", *options, _core.__file__], capture_output=True, text=True, check=True)
    return [line.split()[-1] for line in run.stdout.splitlines()]


def test_the_wheel_is_for_every_python_from_3_11():
    if FREE_THREADED:
        pytest.skip("a build without the GIL has no limited API before Python 3.15")
    assert Path(_core.__file__).name == "_core.abi3.so"
    tags = metadata.distribution("libparmap").read_text("WHEEL")
    assert "Tag: cp311-abi3-" in tags and "Root-Is-Purelib: false" in tags


def test_only_the_init_function_can_be_seen():
    assert symbols("--defined-only") == ["PyInit__core"]


def test_only_the_limited_api_is_used():
    if FREE_THREADED:
        pytest.skip("a build without the GIL has no limited API before Python 3.15")
    pytest.importorskip("abi3audit")
    command = [sys.executable, "-m", "abi3audit", "--strict", "--assume-minimum-abi3", "3.11", _core.__file__]
    audit = subprocess.run(command, capture_output=True, text=True)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_the_library_is_inside():
    needed = subprocess.run(["readelf", "--dynamic", _core.__file__], capture_output=True, text=True, check=True).stdout
    assert "libparmap" not in needed


def test_the_version_is_that_of_the_library():
    assert libparmap.__version__ == metadata.version("libparmap")


def test_importing_leaves_the_gil_as_it_is():
    is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    assert is_gil_enabled() != FREE_THREADED
