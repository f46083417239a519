"""CPython's own test cases for Pool, run from the standard library's test package against ours."""

import importlib
import multiprocessing
import unittest

import pytest

from libparmap import Pool

# What is left out, and why.
NOT_OURS = {
    "test_make_pool": "counts the workers in the private list _pool",
    "test_pool_worker_lifetime": "reads the private list _pool and calls _repopulate_pool",
    "test_pool_worker_lifetime_early_close": "reads the private list _pool",
    "test_imap_handle_iterable_exception": "wants results to be lost that came before the exception; ours are not",
}


def cases():
    try:
        theirs = importlib.import_module("test._test_multiprocessing")
    except ImportError:
        pytest.skip("this Python comes without the test package", allow_module_level=True)
    for name in ("_TestPool", "_TestPoolWorkerErrors", "_TestPoolWorkerLifetime"):
        case = type(name, (getattr(theirs, name), unittest.TestCase), {
            "TYPE": "processes", "Pool": staticmethod(Pool), "Process": multiprocessing.Process,
            **{kind: staticmethod(getattr(multiprocessing, kind)) for kind in ("Value", "Array", "Lock", "Event")},
        })  # fmt: skip
        for method in unittest.TestLoader().getTestCaseNames(case):
            if method not in NOT_OURS:
                yield pytest.param(case, method, id=method)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case, method", list(cases()))
def test_a_test_case_of_cpython_passes(case, method, monkeypatch):
    monkeypatch.setattr(multiprocessing, "Pool", Pool)
    result = unittest.TestResult()
    unittest.TestSuite([case(method)]).run(result)
    assert result.testsRun == 1 and not result.skipped, result.skipped
    assert not result.failures and not result.errors, (result.failures + result.errors)[0][1]
