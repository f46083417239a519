"""What progress= asks for: nothing, the caller's own function, or a bar on stderr."""

import sys
import time
from contextlib import contextmanager, nullcontext

WIDTH = 40


def reporter(progress, call="map_buffer"):
    """A context that gives the function to call with (done, total), or None."""
    if progress is None or progress is False:
        return nullcontext(None)
    if progress is True:
        return _bar()
    if callable(progress):
        return nullcontext(progress)
    raise TypeError(
        f"{call}: progress is {progress!r}: pass True for a bar, or a function of (done, total)"
    )


def _bar():
    try:
        from tqdm import tqdm
    except ImportError:
        return _own_bar()
    return _tqdm_bar(tqdm)


@contextmanager
def _tqdm_bar(tqdm):
    bar = None  # until the total is known

    def report(done, total):
        nonlocal bar
        if bar is None:
            bar = tqdm(total=total, unit="item", unit_scale=total >= 10_000)
        bar.update(done - bar.n)

    try:
        yield report
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def _own_bar():
    begin = time.monotonic()

    def report(done, total):
        share = done / total if total else 1.0
        filled = round(WIDTH * share)
        seconds = time.monotonic() - begin
        sys.stderr.write(f"\r{share:4.0%} [{'#' * filled:{WIDTH}}] {done}/{total} {seconds:.1f} s")
        sys.stderr.flush()

    try:
        yield report
    finally:
        sys.stderr.write("\n")
