"""Who takes part, and how each is built."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contender:
    name: str  # on the command line
    title: str  # in the table
    family: str  # contenders of one family are variants of the same library
    symbol: str  # `struct contender contender_<symbol>`
    shared_object: str  # file name below benches/target/native, or "peers" for the Rust crates
    compile: tuple = ()  # compiler and arguments after the sources' common ones
    needs: str = ""  # what to install where it is missing
    environment: dict = field(default_factory=dict)
    quick: bool = False  # takes part in --quick
    nests: str = ""  # said where an inner loop is not the contender's own


def _openmp(name, title, compiler, needs, quick_schedule):
    for schedule in ("static", "dynamic", "guided"):
        yield Contender(
            name=f"{name}-{schedule}",
            title=f"{title} {schedule}",
            family=title,
            symbol=f"{name}_{schedule}",
            shared_object=f"{name}-{schedule}.so",
            compile=(
                compiler,
                "contenders/openmp.c",
                f"-DSCHEDULE={schedule}",
                f"-DCONTENDER=contender_{name}_{schedule}",
                "-fopenmp=libomp" if name == "libomp" else "-fopenmp",
            ),
            needs=needs,
            quick=schedule in quick_schedule,
            nests="inner loop on one thread",
        )


LOOP = Contender("loop", "plain loop", "plain loop", "loop", "loop.so", ("cc", "contenders/loop.c"), quick=True)
OURS = Contender(
    "parmap", "libparmap", "libparmap", "parmap", "parmap.so", ("cc", "contenders/parmap.c", "-ldl"), quick=True
)

PEERS = [
    *_openmp("gomp", "GNU OpenMP", "gcc", "gcc with libgomp", ("dynamic", "guided")),
    *_openmp("libomp", "LLVM OpenMP", "clang", "clang and libomp-dev", ()),
    Contender(
        "gomp-passive",
        "GNU OpenMP guided, passive wait",
        "GNU OpenMP",
        "gomp_guided",
        "gomp-guided.so",
        needs="gcc with libgomp",
        environment={"OMP_WAIT_POLICY": "passive"},
        nests="inner loop on one thread",
    ),
    Contender("tbb", "oneTBB", "oneTBB", "tbb", "tbb.so", ("c++", "contenders/tbb.cpp", "-ltbb"), "libtbb-dev", quick=True),
    Contender("tbb-static", "oneTBB static", "oneTBB", "tbb_static", "tbb.so", needs="libtbb-dev"),
    Contender(
        "pthreadpool",
        "pthreadpool",
        "pthreadpool",
        "pthreadpool",
        "pthreadpool.so",
        ("cc", "contenders/pthreadpool.c", "-lpthreadpool"),
        "libpthreadpool-dev",
        nests="inner loop plain",
    ),
    Contender(
        "pthreadpool-tiles",
        "pthreadpool tiles",
        "pthreadpool",
        "pthreadpool_tiles",
        "pthreadpool.so",
        needs="libpthreadpool-dev",
        quick=True,
        nests="inner loop plain",
    ),
    Contender("rayon", "rayon", "rayon", "rayon", "peers", needs="the crate rayon", quick=True),
    Contender(
        "fork_union-slices",
        "fork_union slices",
        "fork_union",
        "fork_union_slices",
        "peers",
        needs="the crate fork_union",
        quick=True,
        nests="inner loop plain",
    ),
    Contender(
        "fork_union-dynamic",
        "fork_union dynamic",
        "fork_union",
        "fork_union_dynamic",
        "peers",
        needs="the crate fork_union",
        quick=True,
        nests="inner loop plain",
    ),
    Contender("chili", "chili", "chili", "chili", "peers", needs="the crate chili", quick=True),
    Contender(
        "pthreads",
        "pthreads per call",
        "pthreads per call",
        "pthreads",
        "pthreads.so",
        ("cc", "contenders/pthreads.c", "-pthread"),
    ),
]

ALL = [LOOP, OURS, *PEERS]
