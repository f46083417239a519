"""backend="libparmap" in joblib, and through it in scikit-learn."""

import os

import pool_items as items
import pytest
from programs import run

import libparmap  # noqa: F401, which announces the backend

joblib = pytest.importorskip("joblib")


@pytest.fixture
def parallel():
    with joblib.parallel_config(backend="libparmap", n_jobs=2):
        yield joblib.Parallel()


def test_calls_run_in_worker_processes_and_keep_their_order(parallel):
    assert parallel(joblib.delayed(items.square)(n) for n in range(200)) == [n * n for n in range(200)]
    pids = parallel(joblib.delayed(items.pid_of_worker)(n) for n in range(20))
    assert os.getpid() not in pids


def test_lambdas_and_local_functions_work(parallel):
    offset = 3

    def local(x):
        return x + offset

    assert parallel(joblib.delayed(local)(n) for n in range(5)) == [3, 4, 5, 6, 7]
    assert parallel(joblib.delayed(lambda n: -n)(n) for n in range(3)) == [0, -1, -2]


def test_exceptions_come_back_and_the_backend_lives_on(parallel):
    with pytest.raises(ValueError, match="item 3"):
        parallel(joblib.delayed(items.fail_at_three)(n) for n in range(50))
    assert parallel(joblib.delayed(items.square)(n) for n in range(5)) == [0, 1, 4, 9, 16]


def test_a_dead_worker_is_an_exception(parallel):
    with pytest.raises(libparmap.BrokenPool):
        parallel(joblib.delayed(items.die_at_five)(n) for n in range(10))


def test_results_can_be_a_generator():
    with joblib.parallel_config(backend="libparmap", n_jobs=2):
        for order in ("generator", "generator_unordered"):
            results = joblib.Parallel(return_as=order)(joblib.delayed(items.square)(n) for n in range(20))
            assert sorted(results) == [n * n for n in range(20)]


def test_one_parallel_can_serve_many_calls():
    with joblib.Parallel(n_jobs=2, backend="libparmap") as parallel:
        for n in range(5):
            assert parallel(joblib.delayed(items.add)(x, n) for x in range(5)) == [x + n for x in range(5)]


def test_nested_calls_work(parallel):
    assert parallel(joblib.delayed(nested)(n) for n in range(4)) == [[n, n + 1, n + 2] for n in range(4)]


def nested(n):
    return joblib.Parallel(n_jobs=2)(joblib.delayed(items.add)(n, x) for x in range(3))


@pytest.mark.parametrize("imports", ["libparmap, joblib", "joblib, libparmap"])
def test_the_backend_is_known_whatever_is_imported_first(imports):
    printed = run(f"""
        import {imports}
        with joblib.parallel_config(backend="libparmap", n_jobs=2):
            print(joblib.Parallel()(joblib.delayed(abs)(n) for n in (-1, -2)))
    """, warnings="ignore")  # fmt: skip
    assert printed == "[1, 2]\n"


def test_the_jobs_of_scikit_learn_run_on_it():
    pytest.importorskip("sklearn")
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score

    features, labels = make_classification(200, random_state=0)
    forest = RandomForestClassifier(10, random_state=0)
    expected = cross_val_score(forest, features, labels, cv=4)
    with joblib.parallel_config(backend="libparmap"):
        assert (cross_val_score(forest, features, labels, cv=4, n_jobs=2) == expected).all()
