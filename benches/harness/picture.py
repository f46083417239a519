"""The table as a picture: per workload one line on a scale of speed-up, a mark for every contender, ours the large one."""

import math
from xml.sax.saxutils import escape

ROW_HEIGHT, LEFT, WIDTH, TOP = 26, 400, 520, 74
LOWEST, HIGHEST = 1 / 128, 4.0
TICKS = [1 / 64, 1 / 16, 1 / 4, 1 / 2, 1, 2, 4]
COLOURS = {
    "GNU OpenMP": "#8c564b",
    "LLVM OpenMP": "#e377c2",
    "oneTBB": "#1f77b4",
    "pthreadpool": "#2ca02c",
    "rayon": "#ff7f0e",
    "fork_union": "#9467bd",
    "chili": "#d4a017",
    "pthreads per call": "#7f7f7f",
}
OURS_COLOUR = "#d62728"


def _x(ratio):
    clipped = min(max(ratio, LOWEST), HIGHEST)
    return LEFT + WIDTH * math.log(clipped / LOWEST) / math.log(HIGHEST / LOWEST)


def _text(x, y, text, anchor="start", size=12, colour="#222", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _mark(x, y, colour, radius, title):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"><title>{escape(title)}</title></circle>'


def _legend(families):
    parts, x = [_mark(20, 50, OURS_COLOUR, 6, "libparmap"), _text(30, 54, "libparmap", weight="bold")], 110
    for family in families:
        parts += [_mark(x, 50, COLOURS[family], 4, family), _text(x + 8, 54, family)]
        x += 24 + 7 * len(family)
    return parts


def _tick(ratio):
    return f"{ratio:g}x" if ratio >= 1 else f"1/{round(1 / ratio)}"


def speed(rows, results, ours, peers, machine):
    """Rows with a ratio; CPU burnt while idle has no place on this scale."""
    drawn = [row for row in rows if row.shown != "burnt" and "loop" in results[row.name]]
    height = TOP + ROW_HEIGHT * len(drawn) + 40
    bottom = height - 34
    families = list(dict.fromkeys(peer.family for peer in peers))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 40}" height="{height}" font-family="sans-serif">',
        f'<rect width="100%" height="100%" fill="#ffffff"/>',
        _text(20, 24, f"Times faster than the plain loop ({machine})", size=15, weight="bold"),
        *_legend(families),
    ]
    for ratio in TICKS:
        colour, width = ("#444", 1.5) if ratio == 1 else ("#ddd", 1)
        parts.append(f'<line x1="{_x(ratio):.1f}" y1="{TOP - 6}" x2="{_x(ratio):.1f}" y2="{bottom}" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(_text(_x(ratio), bottom + 16, _tick(ratio), "middle"))
    for index, row in enumerate(drawn):
        y = TOP + ROW_HEIGHT * index + ROW_HEIGHT / 2
        cells = results[row.name]
        parts.append(_text(LEFT - 14, y + 4, row.title, "end"))
        for peer in peers:
            if peer.name in cells:
                ratio = cells[peer.name].ratio
                parts.append(_mark(_x(ratio), y, COLOURS[peer.family], 4, f"{peer.title}: {ratio:.3g}x"))
        if ours.name in cells:
            ratio = cells[ours.name].ratio
            parts.append(_mark(_x(ratio), y, OURS_COLOUR, 6, f"{ours.title}: {ratio:.3g}x"))
    parts.append(_text(LEFT + WIDTH, bottom + 30, f"slower than {_tick(LOWEST)} is drawn at the left edge", "end", 10, "#666"))
    return "\n".join([*parts, "</svg>", ""])
