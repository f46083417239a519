"""libparmap.mpi under every MPI that tests/mpi/setup found: the programs in ranks/, started by each launcher.

Where it matters to the launcher alone how a program ends, one MPI of each family does. Where the same extension has
been under every MPI already, on another Python, one MPI does (tests/python/run sets PAR_FEW_MPIS then).
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
LAUNCHERS = REPOSITORY / "target" / "mpi" / "launchers"

SOON = 30.0  # seconds in which a job that is to end has ended, on a loaded machine, too


def launchers():
    if not LAUNCHERS.exists():
        subprocess.run([REPOSITORY / "tests" / "mpi" / "setup"], check=True)
    return sorted(path.name for path in LAUNCHERS.iterdir())


FOUND = launchers()
OF_EACH_FAMILY = [
    next(iter(found))
    for found in ([name for name in FOUND if name.endswith(family)] for family in ("openmpi", "mpich"))
    if found
]
no_mpi = pytest.param("none", marks=pytest.mark.skip("no MPI was found: target/mpi/missing says why"))
if "PAR_FEW_MPIS" in os.environ:
    FOUND = OF_EACH_FAMILY = OF_EACH_FAMILY[:1]
every_mpi = pytest.mark.parametrize("launcher", FOUND or [no_mpi])
each_family = pytest.mark.parametrize("launcher", OF_EACH_FAMILY or [no_mpi])


def run(launcher, ranks, program, *arguments, folder=HERE / "ranks", **variables):
    """Runs a program of ranks/ and returns how it ended. Nothing may hang."""
    command = [] if launcher is None else [LAUNCHERS / launcher, "-n", str(ranks)]
    command += [sys.executable, folder / f"{program}.py", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def assert_content(done, ranks, programs=1):
    said = sorted(re.findall(r"rank (\d) is content", done.stdout))
    expected = [str(rank) for rank in range(ranks) for _ in range(programs)]
    assert done.returncode == 0 and said == expected, done.stdout + done.stderr


# ---- every rank does its part ----------------------------------------------------------------------------------------

# The last one finalizes.
PROGRAMS = ["objects_travel", "buffers_are_filled", "together", "mistakes_are_told_to_all", "anyone"]


@every_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_messages_keep_their_promises(launcher, ranks):
    pytest.importorskip("numpy")
    assert_content(run(launcher, ranks, "messages", *PROGRAMS), ranks, len(PROGRAMS))


def test_messages_need_no_numpy():
    without_numpy = "import sys; sys.modules['numpy'] = None; import runpy; runpy.run_path(sys.argv[1])"
    program = HERE / "ranks" / "anyone.py"
    alone = subprocess.run([sys.executable, "-c", without_numpy, program], capture_output=True, text=True, timeout=120)
    assert_content(alone, 1)


def test_without_a_launcher_there_is_one_rank():
    pytest.importorskip("numpy")
    assert_content(run(None, 1, "messages", *PROGRAMS), 1, len(PROGRAMS))


def test_without_a_launcher_nothing_is_loaded():
    program = "from libparmap import mpi; print(mpi.library(), 'libmpi' in open('/proc/self/maps').read())"
    alone = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert alone.stdout == "none False\n", alone.stderr


@each_family
@pytest.mark.parametrize("ranks", [2, 3])
def test_a_waiting_rank_burns_no_core_and_stays_reachable(launcher, ranks):
    assert_content(run(launcher, ranks, "waiting"), ranks)


@pytest.fixture(scope="session")
def libraries():
    """The file of the MPI library that belongs to a launcher."""
    known = {}

    def of(launcher):
        if launcher not in known:
            program = "from libparmap import mpi; print(mpi.library())"
            command = [LAUNCHERS / launcher, "-n", "1", sys.executable, "-c", program]
            said = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
            known[launcher] = re.search(r"\((/.*)\)", said)[1]
        return known[launcher]

    return of


@every_mpi
@pytest.mark.parametrize("first", ["mpi4py", "libparmap"])
def test_mpi4py_may_be_in_the_same_program(launcher, first, libraries):
    pytest.importorskip("mpi4py")
    environment = {**os.environ, "MPI4PY_LIBMPI": libraries(launcher)}
    alone = [sys.executable, "-c", "from mpi4py import MPI"]
    if subprocess.run(alone, env=environment, capture_output=True).returncode != 0:
        pytest.skip(f"this build of mpi4py has no part for {libraries(launcher)}")
    assert_content(run(launcher, 2, "with_mpi4py", first, MPI4PY_LIBMPI=libraries(launcher)), 2)


@every_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_pool_of_ranks_is_like_any_other(launcher, ranks):
    done = run(launcher, ranks, "pool")
    assert done.returncode == 0 and done.stdout == f"all {ranks} ranks were content\n", done.stdout + done.stderr


@every_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_map_buffer_brings_its_results_to_every_rank(launcher, ranks, kernels_path):
    assert_content(run(launcher, ranks, "map_buffer", kernels_path), ranks)


@each_family
def test_a_pool_whose_initializer_fails_on_a_rank_says_so(launcher):
    done = run(launcher, 3, "pool_ends", "initializer")
    assert done.returncode == 0, done.stderr
    assert "BrokenPool: Pool: the initializer failed on rank 1, because of rank 1 does not start" in done.stdout


@each_family
@pytest.mark.parametrize("ranks", [1, 3])
def test_ctrl_c_ends_a_map_over_ranks_and_the_pool_lives_on(launcher, ranks):
    done = run(launcher, ranks, "pool_ends", "interrupt")
    assert done.returncode == 0 and done.stdout == "interrupted, and then True\n", done.stdout + done.stderr


# ---- examples --------------------------------------------------------------------------------------------------------

EXAMPLES = REPOSITORY / "c-examples" / "python"


@each_family
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ring_passes_the_parcel_round(launcher, ranks):
    done = run(launcher, ranks, "ring", folder=EXAMPLES)
    parcel = "".join(f"P{rank}" for rank in range(ranks))
    assert f'Rank 0 received "{parcel}" from rank {ranks - 1}\n' in done.stdout, done.stderr
    assert all(f"I am rank {rank} of {ranks} on " in done.stdout for rank in range(ranks))


@each_family
@pytest.mark.parametrize("ranks", [1, 3])
def test_pool_ranks_says_who_computed_what(launcher, ranks):
    done = run(launcher, ranks, "pool_ranks", folder=EXAMPLES)
    first, *counts = done.stdout.splitlines()
    assert first.startswith("fib of 25 to 6: 75025 46368 28657 17711") and first.endswith(" 21 13 8")
    assert sum(int(line.split()[3]) for line in counts) == 20, done.stdout + done.stderr


# ---- how a job ends --------------------------------------------------------------------------------------------------


def ended(launcher, how, program="shapes_of_an_end"):
    begin = time.monotonic()
    done = run(launcher, 3, program, how)
    assert time.monotonic() - begin < SOON
    assert done.returncode != 0, done.stdout + done.stderr
    return done


@every_mpi
def test_an_uncaught_exception_ends_all_ranks_with_its_traceback(launcher):
    done = ended(launcher, "raise")
    assert "LookupError: rank 1 has had enough" in done.stderr
    assert "rank 1 of 3 did not catch LookupError: ending all ranks" in done.stderr


@each_family
def test_a_hook_of_the_program_is_called_as_well(launcher):
    done = ended(launcher, "chained")
    assert "a hook of the program" in done.stdout and "LookupError" in done.stderr


@each_family
@pytest.mark.parametrize("how", ["interrupt", "exit", "abort", "kill"])
def test_a_rank_that_ends_badly_takes_the_others_along(launcher, how):
    done = ended(launcher, how)
    assert "before the abort" in done.stdout or how != "abort"


@each_family
@pytest.mark.parametrize("how", ["raise", "exit", "kill"])
def test_no_rank_of_a_pool_outlives_the_program(launcher, how):
    done = ended(launcher, how, "pool_ends")
    assert "rank 0 has had enough" in done.stderr or how != "raise"
