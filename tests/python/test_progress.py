"""progress=: a function, a bar of tqdm, a bar of our own."""

import sys
import threading
from array import array

import pytest

import libparmap


def test_progress_is_told_of_the_end(kernels):
    seen = []
    libparmap.map_buffer(kernels.item_plus_one, array("q", [0] * 10), progress=lambda *report: seen.append(report))
    assert seen[-1] == (10, 10)


def test_progress_counts_elements_for_element_functions(kernels):
    seen = []
    view = memoryview(array("d", range(6))).cast("B").cast("d", (2, 3))
    libparmap.map_buffer(kernels.double_plus_one, view, progress=lambda *report: seen.append(report))
    assert seen[-1] == (6, 6)


def test_progress_is_told_of_the_way_on_the_calling_thread(kernels):
    seen, threads = [], set()

    def report(done, total):
        seen.append(done)
        threads.add(threading.get_ident())

    libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 100), workers=2, progress=report)
    assert seen == sorted(seen) and any(0 < done < 100 for done in seen) and seen[-1] == 100
    assert threads == {threading.get_ident()}


def test_progress_works_on_any_thread(kernels):
    seen = []

    def work():
        libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 20), progress=lambda *report: seen.append(report))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[-1] == (20, 20)


def test_an_exception_in_progress_stops_the_map_and_is_raised(kernels):
    def report(done, total):
        raise LookupError("enough")

    out = array("q", bytes(80_000))
    with pytest.raises(LookupError, match="enough"):
        libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 10_000), out, workers=2, progress=report)
    assert out[-1] == 0


def test_progress_may_map_itself(kernels):
    inner = []

    def report(done, total):
        inner.append(libparmap.map_buffer(kernels.item_plus_one, array("q", [1, 2, 3])))

    libparmap.map_buffer(kernels.sleep_ms, array("q", [10] * 20), progress=report)
    assert inner and all(result == array("q", [2, 3, 4]) for result in inner)


@pytest.mark.parametrize("progress", [None, False])
def test_no_progress_prints_nothing(kernels, capfd, progress):
    libparmap.map_buffer(kernels.sleep_ms, array("q", [1] * 10), progress=progress)
    assert capfd.readouterr() == ("", "")


def test_true_draws_the_bar_of_tqdm_on_stderr(kernels, capfd):
    pytest.importorskip("tqdm")
    libparmap.map_buffer(kernels.sleep_ms, array("q", [5] * 40), progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "100%|" in err and "40/40" in err


def test_true_draws_a_bar_of_our_own_without_tqdm(kernels, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    libparmap.map_buffer(kernels.sleep_ms, array("q", [5] * 40), progress=True)
    out, err = capfd.readouterr()
    last = err.splitlines()[-1]
    assert out == "" and err.endswith("\n") and "100% [########################################] 40/40" in last


def test_a_bar_of_a_failed_map_is_closed(kernels, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(libparmap.ItemError):
        libparmap.map_buffer(kernels.fail_unless_zero, array("q", [1] * 40), progress=True)
    assert capfd.readouterr().err.endswith("\n")


@pytest.mark.parametrize("n", [0, 1])
def test_a_bar_over_next_to_nothing_is_drawn(kernels, capfd, monkeypatch, n):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    libparmap.map_buffer(kernels.item_plus_one, array("q", [0] * n), progress=True)
    assert f"{n}/{n}" in capfd.readouterr().err


@pytest.mark.parametrize("progress", [1, "bar", [print]])
def test_progress_of_another_kind_is_refused(kernels, progress):
    with pytest.raises(TypeError, match="progress is .*: pass True for a bar, or a function"):
        libparmap.map_buffer(kernels.item_plus_one, array("q", [1]), progress=progress)
