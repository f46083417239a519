"""From samples to the numbers that the table shows."""

from dataclasses import dataclass
from statistics import median


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Number:
    """One cell: what a contender reached in a row."""

    value: float  # median of the repeats' medians, in the metric's own unit
    p99: float  # of all samples
    low: float  # the repeats' lowest and highest median
    high: float
    ratio: float  # plain loop / contender, median of the ratios of each repeat
    ratio_low: float
    ratio_high: float
    disturbed: bool  # other programs ran during half of the rounds or more, the plain loop's or the contender's


def _disturbed(repeats):
    return bool(repeats) and median(repeat["disturbed"][0] for repeat in repeats) > 0


def numbers(row, taken):
    """`taken`: contender name -> one {metric: samples} per repeat, paired with the plain loop's of the same round."""
    disturbed_loop = _disturbed(taken.get("loop", []))
    loop = [median(repeat[row.metric]) for repeat in taken.get("loop", []) if row.metric in repeat]
    cells = {}
    for name, repeats in taken.items():
        medians = [median(repeat[row.metric]) for repeat in repeats if repeat.get(row.metric)]
        if not medians:
            continue
        ratios = [reference / max(value, 1e-9) for reference, value in zip(loop, medians)] or [float("nan")]
        pooled = [value for repeat in repeats for value in repeat[row.metric]]
        cells[name] = Number(
            median(medians),
            percentile(pooled, 0.99),
            min(medians),
            max(medians),
            median(ratios),
            min(ratios),
            max(ratios),
            disturbed_loop or _disturbed(repeats),
        )
    return cells
