"""pool_fib_today.py with its import changed, which is the whole port.

Run it where `pip install ./c-examples/python` has been done.
"""

import time

from fib_table import print_table
from libparmap import Pool

# Seven below the numbers of the other examples, which would take a minute here.
NUMBERS = [31, 30, 29, 28, 27, 26]


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main():
    begin = time.perf_counter()
    plain = [fib(number) for number in NUMBERS]
    sequential = time.perf_counter() - begin

    begin = time.perf_counter()
    with Pool() as pool:
        answers = pool.map(fib, NUMBERS)
    parallel = time.perf_counter() - begin

    assert answers == plain
    title = "libparmap.Pool, pure Python (smaller numbers: 38 to 33 would take a minute)"
    print_table(title, NUMBERS, answers, sequential, parallel)


if __name__ == "__main__":
    main()
