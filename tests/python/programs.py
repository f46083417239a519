"""Programs that run in a process of their own, so that what they do to it stays there."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOON = 60


def command(source, *arguments):
    return [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(source), *map(str, arguments)]


def environment(**changes):
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "", **changes}


def run(source, *arguments, warnings="error", **options):
    """What a program prints. It must end by itself, with 0, and say nothing on stderr."""
    done = subprocess.run(command(source, *arguments), env=environment(PYTHONWARNINGS=warnings),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SOON, **options)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
