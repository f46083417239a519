"""Builds the measuring program and the contenders; names those that cannot be built here."""

import subprocess
from pathlib import Path

from . import contenders

BENCHES = Path(__file__).resolve().parent.parent
ROOT = BENCHES.parent
NATIVE = BENCHES / "target" / "native"
COMMON = ["-O2", "-D_GNU_SOURCE", "-I.", "-I../include"]
C = ["-std=c11", "-Wall", "-Wextra", "-pedantic"]
CXX = ["-std=c++17", "-Wall", "-Wextra"]


def _run(command, where=BENCHES):
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr


def _sentence(errors):
    """The first line of a compiler's output that says what is wrong."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()] or lines or ["no message"]
    return telling[0]


def _newer(target, sources):
    return target.exists() and all(target.stat().st_mtime > source.stat().st_mtime for source in sources)


def measure_program():
    """The items keep an object file of their own, so that nobody can inline them."""
    program, items = NATIVE / "measure", NATIVE / "items.o"
    sources = [BENCHES / "measure.c", *sorted((BENCHES / "workloads").glob("*.c"))]
    headers = [*BENCHES.glob("*.h"), ROOT / "include" / "parmap.h"]
    NATIVE.mkdir(parents=True, exist_ok=True)
    if _newer(program, [*sources, *headers, BENCHES / "items.c"]):
        return program
    for command in (
        ["cc", *C, *COMMON, "-c", "items.c", "-o", str(items)],
        ["cc", *C, *COMMON, *map(str, sources), str(items), "-o", str(program), "-ldl", "-lm", "-pthread"],
    ):
        errors = _run(command)
        if errors is not None:
            raise SystemExit(f"benches: the measuring program does not compile:\n{errors}")
    return program


def _native(contender):
    target = NATIVE / contender.shared_object
    compiler, source, *flags = contender.compile
    headers = [BENCHES / "contender.h", ROOT / "include" / "parmap.h"]
    if _newer(target, [BENCHES / source, *headers]):
        return None
    language = CXX if source.endswith(".cpp") else C
    command = [compiler, *language, *COMMON, "-fPIC", "-shared", source, "-o", str(target), *flags]
    try:
        return _run(command)
    except FileNotFoundError:
        return f"error: there is no compiler called {compiler}"


def everything():
    """Returns the paths of the libraries by contender name, and the reason for each that is missing."""
    paths, missing, failed = {}, {}, {}
    peers = None
    for contender in contenders.ALL:
        if contender.shared_object == "peers":
            if peers is None:
                peers = _run(["cargo", "build", "--release", "--quiet", "--locked", "--lib"]) or ""
            errors = peers or None
            path = BENCHES / "target" / "release" / "libpeers.so"
        else:
            if contender.compile:
                failed[contender.shared_object] = _native(contender)
            errors = failed.get(contender.shared_object)
            path = NATIVE / contender.shared_object
        if errors is None:
            paths[contender.name] = path
        else:
            missing[contender.name] = f"{_sentence(errors)} (needs {contender.needs})"
    return paths, missing


def library():
    """Our own, as `make` leaves it."""
    errors = _run(["cargo", "build", "--release", "--quiet"], ROOT)
    if errors is not None:
        raise SystemExit(f"benches: the library does not compile:\n{errors}")
    return ROOT / "target" / "release" / "libparmap.so"
