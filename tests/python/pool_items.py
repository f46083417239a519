"""Functions for the workers of the tests, which find them by name."""

import os
import signal
import time


def square(x):
    return x * x


def add(x, y=10):
    return x + y


def pid_of_worker(_):
    return os.getpid()


def slow_square(x, seconds=0.02):
    time.sleep(seconds)
    return x * x


def fail_at_three(x):
    if x == 3:
        raise ValueError(f"item {x}")
    return x


def fail_from_three(x):
    if x >= 3:
        raise ValueError(f"item {x}")
    return x


def die_at_five(x):
    if x == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def unpicklable(_):
    return lambda: None


def has_no_child_left(pid):
    """Is the process gone, and reaped?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
