"""Ten thousand calls, in three rounds, leave memory, references, threads and descriptors as they were."""

import ctypes
import gc
import os
import sys
from array import array
from pathlib import Path

import pytest

import libparmap

CALLS = 10_000 // 3


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def threads_and_descriptors():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def assert_steady(call, *objects, calls=CALLS):
    """Neither the references to `objects` nor the process grow with the number of calls.

    An allocator may ask the system for more now and then; a leak makes it do so in every round.
    """
    for _ in range(calls // 10):
        call()
    gc.collect()
    references = [sys.getrefcount(object) for object in objects]
    system = threads_and_descriptors()
    growth = [growth_of(call, calls) for _ in range(5)]
    # Objects such as None are also held by caches that come and go; a leak holds one more a call.
    held = [sys.getrefcount(object) - before for object, before in zip(objects, references)]
    assert max(map(abs, held)) < calls // 10, held
    assert threads_and_descriptors() == system
    assert min(growth) < 16 * calls, "less than the smallest object a call, in bytes a round"


def growth_of(call, calls):
    before = resident_bytes()
    for _ in range(calls):
        call()
    gc.collect()
    return resident_bytes() - before


def test_maps_leak_nothing(kernels):
    src, out = array("d", range(100)), array("d", bytes(800))
    function = kernels.double_plus_one
    assert_steady(lambda: libparmap.map_buffer(function, src, out), function, src, out, None)


def test_maps_that_make_room_leak_nothing(kernels):
    src = array("d", bytes(8 * 4096))
    assert_steady(lambda: libparmap.map_buffer(kernels.double_plus_one, src), src)


def test_every_kind_of_function_is_let_go(kernels):
    from test_function_pointers import PyCapsule_New, address_of

    one, src = ctypes.c_double(1), array("d", range(10))
    pair = (address_of(kernels.double_plus_one), "double (double)")
    capsule = PyCapsule_New(address_of(kernels.double_plus_one), b"double (double)", None)

    def call():
        libparmap.map_buffer(kernels.double_plus, src, src, user_data=one)
        libparmap.map_buffer(pair, src, src)
        libparmap.map_buffer(capsule, src, src)

    assert_steady(call, kernels.double_plus, one, src, pair, capsule)


def test_cffi_functions_are_let_go(kernels_path):
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("double double_plus(double, void *);")
    function, one, src = ffi.dlopen(str(kernels_path)).double_plus, ffi.new("double *", 1), array("d", range(10))
    assert_steady(lambda: libparmap.map_buffer(function, src, src, user_data=one), function, one, src)


def test_failing_maps_leak_nothing(kernels):
    failing, short = array("q", [0, 1]), array("q", [0])

    def call():
        with pytest.raises(libparmap.ItemError):
            libparmap.map_buffer(kernels.fail_unless_zero, failing, failing)
        with pytest.raises(ValueError):
            libparmap.map_buffer(kernels.item_plus_one, failing, short)
        with pytest.raises(TypeError):
            libparmap.map_buffer((1, 2), failing)

    assert_steady(call, failing, short, kernels.fail_unless_zero, calls=2000)


def test_maps_with_progress_leak_nothing(kernels):
    src = array("q", range(10))

    def report(done, total):
        pass

    assert_steady(lambda: libparmap.map_buffer(kernels.item_plus_one, src, src, progress=report), src, report)


def test_callbacks_are_let_go():
    src = array("q", [1])

    @libparmap.callback("int (const long long *, long long *, void *)")
    def function(src, out, user_data):
        if src[0]:
            raise LookupError

    def call():
        with pytest.raises(LookupError):
            libparmap.map_buffer(function, src, src)

    assert_steady(call, function, src, calls=1000)
