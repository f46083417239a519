"""Builds the library with cargo, then links it statically into the extension libparmap._core."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

# The limited API gives one binary for every CPython from 3.11 on. Before 3.15 a build without the GIL has no
# such API, so there the binary fits the version that builds it.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")


def library_version():
    return tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["package"]["version"]


def built_library():
    """Runs cargo and returns the path of libparmap.a."""
    cargo = os.environ.get("CARGO", "cargo")
    if shutil.which(cargo) is None:
        sys.exit(
            f"libparmap is written in Rust and {cargo!r} is not to be found: "
            "install Rust (https://rustup.rs), or set CARGO to the path of cargo."
        )
    command = [cargo, "build", "--release", "--lib", "--message-format=json-render-diagnostics"]
    build = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    if build.returncode != 0:
        sys.exit(f"libparmap could not be built: `{' '.join(command)}` failed, its reasons stand above.")
    # cargo itself says where the files are, whatever CARGO_TARGET_DIR or its configuration make of that.
    for message in map(json.loads, build.stdout.splitlines()):
        for name in message.get("filenames", []):
            if Path(name).name == "libparmap.a":
                return name
    sys.exit("cargo built the crate but no libparmap.a: is `staticlib` gone from Cargo.toml?")


class build_with_library(build_ext):
    def build_extension(self, extension):
        library = built_library()
        extension.extra_objects.append(library)
        extension.depends.append(library)
        super().build_extension(extension)


core = Extension(
    "libparmap._core",
    sources=sorted(f"src/{source.name}" for source in (HERE / "src").glob("*.c")),
    depends=["src/core.h", str(REPOSITORY / "include" / "parmap.h")],
    include_dirs=[str(REPOSITORY / "include")],
    define_macros=[("Py_LIMITED_API", "0x030b0000")] if ABI3 else [],
    py_limited_api=ABI3,
    extra_compile_args=["-std=gnu99", "-fvisibility=hidden"],
    # Of the library's own symbols none may be seen by other modules, or serve them by accident.
    extra_link_args=["-Wl,--exclude-libs,ALL"],
    libraries=["gcc_s", "util", "rt", "pthread", "m", "dl", "c"],
)

setup(
    version=library_version(),
    ext_modules=[core],
    cmdclass={"build_ext": build_with_library},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {},
)
