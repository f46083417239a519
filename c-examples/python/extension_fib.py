"""libparmap.map_buffer: a C function over an array, without the GIL.

Run it where `pip install ./c-examples/python` has been done.
"""

import ctypes
import time
from array import array

import libparmap
from fib_table import NUMBERS, fib_item, one_after_the_other, print_table

numbers = array("q", NUMBERS)
function = fib_item()

begin = time.perf_counter()
plain = array("q", numbers)
Memory = ctypes.c_longlong * len(numbers)
one_after_the_other(function, Memory.from_buffer(numbers), Memory.from_buffer(plain))
sequential = time.perf_counter() - begin

begin = time.perf_counter()
answers = libparmap.map_buffer(function, numbers)
parallel = time.perf_counter() - begin

assert answers == plain
print_table("CPython extension: libparmap.map_buffer", numbers, answers, sequential, parallel)
