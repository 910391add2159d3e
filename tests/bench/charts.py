"""Charts as plain SVG, in colours that can be read on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LINE, LEFT = 760, 26, 330
OURS, FLOOR, MISSED, TEXT = "#3b7dd8", "#9aa5b1", "#d1495b", "#6b7785"


def svg(title: str, height: int, parts: Sequence[str]) -> str:
    """A whole picture."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"'
    style = f'font-family="system-ui, sans-serif" font-size="12" fill="{TEXT}"'
    return "\n".join((f"{head} {style}>", *parts, "</svg>", ""))


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def bar(x: float, y: float, width: float, colour: str) -> str:
    """A horizontal bar."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="14" rx="2" fill="{colour}"/>'


def shares(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """Bars of what was measured as a share of its own limit: label, share, what was measured."""
    room = WIDTH - LEFT - 90
    scale = room / max(1.0, *(share for _, share, _ in rows))
    parts = []
    for place, (label, share, measured) in enumerate(rows):
        y = 10 + place * LINE
        parts += [
            text(LEFT - 8, y + 12, label, "end"),
            bar(LEFT, y, share * scale, OURS if share <= 1 else MISSED),
            text(LEFT + share * scale + 6, y + 12, measured),
        ]
    height = 10 + len(rows) * LINE
    limit = LEFT + scale
    parts.append(f'<line x1="{limit:.1f}" y1="4" x2="{limit:.1f}" y2="{height}" stroke="{TEXT}" stroke-dasharray="3 3"/>')
    parts.append(text(limit, height + 14, "the bar", "middle"))
    return svg(title, height + 22, parts)


def pairs(title: str, rows: Sequence[tuple[str, float, float]], unit: str) -> str:
    """Two bars a row: the floor and ours."""
    room = WIDTH - LEFT - 90
    scale = room / max(max(floor, ours) for _, floor, ours in rows)
    parts = []
    for place, (label, floor, ours) in enumerate(rows):
        y = 10 + place * 2 * LINE
        parts += [
            text(LEFT - 8, y + 22, label, "end"),
            bar(LEFT, y, floor * scale, FLOOR),
            text(LEFT + floor * scale + 6, y + 12, f"{floor:.3g} {unit} bare"),
            bar(LEFT, y + 17, ours * scale, OURS),
            text(LEFT + ours * scale + 6, y + 29, f"{ours:.3g} {unit}"),
        ]
    return svg(title, 10 + len(rows) * 2 * LINE, parts)


def curves(title: str, series: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Small curves below each other, each from zero to its own highest value; the last value stands beside it."""
    room, high = WIDTH - LEFT - 90, 36
    parts = []
    for place, (label, values) in enumerate(series):
        foot, most = (place + 1) * high, max(*values, 1e-9)
        step = room / max(1, len(values) - 1)
        points = " ".join(f"{LEFT + n * step:.1f},{foot - value / most * (high - 10):.1f}" for n, value in enumerate(values))
        parts += [
            text(LEFT - 8, foot - 8, label, "end"),
            f'<line x1="{LEFT}" y1="{foot}" x2="{LEFT + room}" y2="{foot}" stroke="{FLOOR}" stroke-width="0.5"/>',
            f'<polyline points="{points}" fill="none" stroke="{OURS}" stroke-width="2"/>',
            text(LEFT + room + 6, foot - 8, f"{values[-1]:,.3g}" if values[-1] < 1_000 else f"{values[-1]:,.0f}"),
        ]
    return svg(title, len(series) * high + 10, parts)


def distribution(title: str, values: Sequence[float], limit: float, unit: str) -> str:
    """How large a part of the values is at most so large; *values* are sorted."""
    height, left, bottom = 240, 60, 200
    right = WIDTH - 30
    most = max(limit, values[-1]) * 1.05
    points = " ".join(
        f"{left + value / most * (right - left):.1f},{bottom - (place + 1) / len(values) * (bottom - 20):.1f}"
        for place, value in enumerate(values)
    )
    at = left + limit / most * (right - left)
    parts = [
        f'<polyline points="{points}" fill="none" stroke="{OURS}" stroke-width="2"/>',
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}" stroke="{TEXT}"/>',
        f'<line x1="{at:.1f}" y1="20" x2="{at:.1f}" y2="{bottom}" stroke="{TEXT}" stroke-dasharray="3 3"/>',
        text(at, 14, f"the bar for 95 of 100: {limit:g} {unit}", "middle"),
    ]
    parts += [text(left - 6, bottom - share / 100 * (bottom - 20) + 4, f"{share} %", "end") for share in (0, 50, 95, 100)]
    parts += [text(left + n / most * (right - left), bottom + 16, f"{n} {unit}", "middle") for n in range(int(most) + 1)]
    return svg(title, height, parts)
