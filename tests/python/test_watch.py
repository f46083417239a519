"""tests/watch, under which all tests run: what hangs is ended and told of, what ends keeps its status."""

import subprocess

import pytest
from programs import command, environment

HANGS = """
    import time
    import watched
    from libparmap import Pool

    def wait_for_ever(x):
        print("begun")
        time.sleep(1000)

    if __name__ == "__main__":
        with Pool(1) as pool:
            pool.map(wait_for_ever, [1])
"""


def under_watch(repository, *arguments):
    return subprocess.run([repository / "tests" / "watch", "2", *arguments], env=environment(), text=True,
                          stdout=subprocess.PIPE, timeout=60)  # fmt: skip


def test_what_hangs_is_told_of_and_ended(repository):
    ended = under_watch(repository, *command(HANGS))
    assert ended.returncode == 124
    assert "begun" in ended.stdout and "nothing was printed for 2 s" in ended.stdout
    in_the_item = next(line for line in ended.stdout.splitlines() if line.startswith("    wait_for_ever "))
    assert "_serve child.py" in in_the_item
    assert "step reception.py" in ended.stdout


@pytest.mark.parametrize("script, status", [("exit 7", 7), ("kill -9 $$", 137), ("sleep 30 & exit 0", 0)])
def test_what_ends_keeps_its_status_whatever_it_leaves_behind(repository, script, status):
    assert under_watch(repository, "sh", "-c", script).returncode == status
