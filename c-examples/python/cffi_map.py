"""par_map through cffi, with the declarations read from parmap.h itself."""

import time
from pathlib import Path

from cffi import FFI

from fib_table import NUMBERS, kernel_path, library_path, print_table

HEADER = Path(__file__).resolve().parents[2] / "include" / "parmap.h"


def declarations():
    """The part of the header that is marked as fit for cdef."""
    _, _, rest = HEADER.read_text().partition("/* cffi: begin */")
    marked, _, _ = rest.partition("/* cffi: end */")
    return marked


ffi = FFI()
ffi.cdef(declarations())
ffi.cdef("int fib_item(const void *in, void *out, void *ctx);")
parmap = ffi.dlopen(library_path())
kernel = ffi.dlopen(kernel_path())


def par_map(function, numbers, answers, context=ffi.NULL):
    """Raises with the library's own sentence when an item fails."""
    report = ffi.new("par_report *", {"size": ffi.sizeof("par_report")})
    options = ffi.new("par_options *", {"size": ffi.sizeof("par_options"), "report": report})
    size = ffi.sizeof("long long")
    status = parmap.par_map(function, context, numbers, size, answers, size, len(numbers), options)
    if status != parmap.PAR_OK:
        raise RuntimeError(ffi.string(report.message).decode())


def item_function(function):
    """A Python function of one number as a C item function, and the list of what it raised.

    cffi hands an exception to `onerror` and returns `error`, non-zero here, so that the item fails.
    """
    raised = []

    @ffi.callback(
        "int (const void *, void *, void *)",
        error=1,
        onerror=lambda kind, error, traceback: raised.append(error),
    )
    def item(number, answer, context):
        ffi.cast("long long *", answer)[0] = function(ffi.cast("const long long *", number)[0])
        return 0

    return item, raised


def main():
    numbers = ffi.new("long long[]", NUMBERS)
    plain, answers = ffi.new("long long[]", len(NUMBERS)), ffi.new("long long[]", len(NUMBERS))

    begin = time.perf_counter()
    for i in range(len(NUMBERS)):
        kernel.fib_item(numbers + i, plain + i, ffi.NULL)
    sequential = time.perf_counter() - begin

    begin = time.perf_counter()
    par_map(ffi.addressof(kernel, "fib_item"), numbers, answers)
    parallel = time.perf_counter() - begin

    assert list(answers) == list(plain)
    print_table("cffi: par_map of libparmap.so", NUMBERS, answers, sequential, parallel)

    # Keep `square` until par_map has returned: cffi frees the C function together with the object.
    square, raised = item_function(lambda number: number * number)
    par_map(square, numbers, answers)
    print("  a Python callback on native threads, under the GIL:", *answers)

    fail, raised = item_function(lambda number: 1 // (number - 35))
    try:
        par_map(fail, numbers, answers)
    except RuntimeError as failure:
        try:
            raise raised[0] from failure
        except ZeroDivisionError as error:
            print(f"  a callback that raised: {failure}; because of ZeroDivisionError: {error}")


if __name__ == "__main__":
    main()
