"""The rows of the table: which workload with which parameters, and what of it is shown."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    workload: str
    parameters: dict = field(default_factory=dict)
    metric: str = "time_ns"
    shown: str = "ratio"  # ratio (x the plain loop), latency (p50 / p99), burnt (CPU time)
    unit: str = "us"
    bytes: int = 0  # moved in one call, for GB/s
    quick: dict = field(default_factory=dict)  # parameters that --quick changes
    repeats: float = 1.0  # of the run's repeats
    source: str = ""  # another row whose process yields this metric too


def _calls(name, title, shown="ratio", unit="us", **parameters):
    return Row(name, title, "calls", parameters, shown=shown, unit=unit)


def _memory(name, title, workload, n, moved):
    return Row(name, title, workload, {"n": n}, bytes=moved, quick={"n": 20_000_000}, repeats=0.6)

ROWS = [
    _calls("hot-2", "2 trivial items, call after call", "latency", "ns", n=2),
    _calls("hot-8", "8 trivial items, call after call", "latency", "ns", n=8),
    _calls("slept-1ms-2", "2 trivial items, caller slept 1 ms", "latency", n=2, pause="asleep", pause_us=1000),
    _calls("slept-1ms-8", "8 trivial items, caller slept 1 ms", "latency", n=8, pause="asleep", pause_us=1000),
    _calls("busy-1ms-8", "8 trivial items, caller busy 1 ms", "latency", n=8, pause="busy", pause_us=1000),
    _calls("slept-20ms-8", "8 trivial items, caller slept 20 ms", "latency", n=8, pause="asleep", pause_us=20000),
    _calls("small-hot", "1000 items of 20 ns, call after call", n=1000, cost=20),
    _calls("small-slept", "1000 items of 20 ns, caller slept 1 ms", n=1000, cost=20, pause="asleep", pause_us=1000),
    _calls("small-busy", "1000 items of 20 ns, caller busy 1 ms", n=1000, cost=20, pause="busy", pause_us=1000),
    _calls("million", "a million items of 100 ns", n=1_000_000, cost=100),
    _memory("line-item", "a*in+b on 5e7 doubles, per item", "line_per_item", 50_000_000, 16),
    _memory("line-range", "a*in+b on 5e7 doubles, per range", "line_per_range", 50_000_000, 16),
    _memory("sum", "sum of 1e8 doubles (reduce)", "sum", 100_000_000, 8),
    Row("fib", "fib 38, 37, 36, 35, 34, 33", "fibonacci", {"from": 38}, quick={"from": 36}),
    Row("pareto-falling", "2000 Pareto costs, falling", "pareto", {"order": "falling"}),
    Row("pareto-rising", "2000 Pareto costs, rising", "pareto", {"order": "rising"}),
    Row("nested", "64 x 1000 items of 50 ns, nested", "nested"),
    Row("nbody", "128 bodies, two small loops a step", "nbody"),
    Row("callers", "8 threads calling at once", "callers", {"threads": 8}),
    Row("texts", "a million short texts (par_map_bytes)", "texts", {"n": 1_000_000}, quick={"n": 200_000}, repeats=0.6),
    Row("changing", "64 x 20 us after 1000 cheap calls, same pointer", "changing", metric="costly_ns"),
    Row("changing-cheap", "the cheap calls between (8 x 1 ns)", "changing", {}, "cheap_ns", "latency", "ns", source="changing"),
    Row(
        "alternating",
        "64 x 20 us in turn with 1000 x 2 ns, same pointer",
        "changing",
        {"cheap_n": 1000, "cheap_cost": 2, "cheap_calls": 1},
        metric="costly_ns",
    ),
    Row(
        "alternating-cheap",
        "1000 x 2 ns in turn with 64 x 20 us, same pointer",
        "changing",
        metric="cheap_ns",
        shown="latency",
        source="alternating",
    ),
    Row(
        "short-and-long",
        "100 000 x 10 ns in turn with 4 x 10 ns",
        "changing",
        {"cheap_n": 4, "cheap_cost": 10, "cheap_calls": 1, "costly_n": 100_000, "costly_cost": 10},
        metric="costly_ns",
    ),
    Row("idle-2ms", "CPU burnt in 2 ms after the last call", "idle", {}, "first_2ms_us", "burnt", repeats=0.4),
    Row("idle", "CPU burnt from then to 1 s", "idle", {}, "afterwards_us", "burnt", repeats=0.4, source="idle-2ms"),
    Row(
        "rhythm-10ms",
        "CPU burnt per call of 100 x 1 us every 10 ms",
        "rhythm",
        {"every_us": 10_000},
        metric="cpu_us",
        shown="burnt",
        repeats=0.4,
    ),
    Row(
        "rhythm-1ms",
        "CPU burnt per call of 100 x 1 us every 1 ms",
        "rhythm",
        {"every_us": 1_000},
        metric="cpu_us",
        shown="burnt",
        repeats=0.4,
    ),
]

SWEEP_COUNTS = [1, 2, 4, 8, 16, 32, 64, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
SWEEP_COSTS_NS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
SWEEP_LONGEST_NS = 500_000_000


def sweep_cells(longest_ns=SWEEP_LONGEST_NS):
    """The pairs of count and cost whose loop stays below `longest_ns`."""
    return [(n, cost) for cost in SWEEP_COSTS_NS for n in SWEEP_COUNTS if n * cost <= longest_ns]
