"""pip install from a checkout."""

import os
import subprocess
import sys


def build(repository, tmp_path, **environment):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path,
               repository / "c-examples" / "python"]  # fmt: skip
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)


def test_a_missing_cargo_is_said_in_a_sentence(repository, tmp_path):
    run = build(repository, tmp_path, CARGO="/nowhere/cargo")
    assert run.returncode != 0
    assert "'/nowhere/cargo' is not to be found: install Rust (https://rustup.rs), or set CARGO" in run.stderr + run.stdout


def test_a_failing_cargo_is_said_in_a_sentence(repository, tmp_path):
    run = build(repository, tmp_path, CARGO="false")
    assert run.returncode != 0
    assert "libparmap could not be built: `false build --release --lib" in run.stderr + run.stdout
