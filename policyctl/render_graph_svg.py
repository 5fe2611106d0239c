"""A state machine to an SVG picture, for light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from xml.sax.saxutils import escape

from policyctl.graph_layout import Extent, Layout, Point, lay_out
from policyctl.graph_parts import START, Arrow, Parts

SMALL, LARGE = 12.0, 14.0
"""Sizes of type."""
_ADVANCE = 0.602
"""How wide a letter is, as a part of its size: the fonts have one width for all."""
LINE = 16.0
BOX = 38.0
MARGIN = 24.0
LOOP = 30.0
"""How far an arrow that comes back reaches."""
WIDEST = 30
"""Letters in a line of a label."""

_SHAPES = """
  text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; text-anchor: middle }
  .stage { font-size: 14px; font-weight: 600 }
  .label { font-size: 12px; paint-order: stroke; stroke-width: 5px; stroke-linejoin: round }
  .loop { text-anchor: start }
  .box { stroke-width: 1.4 }
  .ring, .arrow { fill: none }
  .arrow { stroke-width: 1.5 }
  .aside { stroke-dasharray: 1 4; stroke-linecap: round }
"""
_COLOURS = """
  .page { fill: %(page)s }
  text, .dot { fill: %(ink)s }
  .label { stroke: %(page)s }
  .asked { fill: %(asked)s }
  .when { fill: %(soft)s }
  .box { fill: %(box)s; stroke: %(edge)s }
  .end { fill: %(end)s; stroke: %(ring)s }
  .ring { stroke: %(ring)s }
  .arrow { stroke: %(line)s }
  .tip { fill: %(line)s }
"""
_LIGHT = {
    "page": "#ffffff", "ink": "#1f2933", "soft": "#66727f", "asked": "#0b6bb8", "line": "#8794a1",
    "box": "#eef4fa", "edge": "#5b7a99", "end": "#e8f3ea", "ring": "#4f8a5b",
}  # fmt: skip
_DARK = {
    "page": "#0d1117", "ink": "#e6edf3", "soft": "#9aa7b4", "asked": "#6cb6ff", "line": "#6d7a88",
    "box": "#1b2735", "edge": "#6f93b8", "end": "#1a2b20", "ring": "#6fae7c",
}  # fmt: skip
# Plain colours for light pages, since not everything that shows SVG knows variables.
_STYLE = f"{_SHAPES}{_COLOURS % _LIGHT}@media (prefers-color-scheme: dark) {{{_COLOURS % _DARK}}}"


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    kind: str


def render_svg(parts: Parts) -> str:
    loops = {a.source: a for a in parts.arrows if a.source == a.target}
    arrows = [a for a in parts.arrows if a.source != a.target]
    boxes = {name: _box(name, loops.get(name)) for name in parts.boxes}
    layout = lay_out(boxes, [(a.source, a.target, _label_extent(a)) for a in arrows])
    legend = _legend(parts)
    width = max([layout.width, *(_width(line.text, SMALL) for line in legend)]) + 2 * MARGIN
    height = layout.height + 2 * MARGIN + LINE * len(legend) + LINE
    drawn = [
        *(_arrow(a, route) for a, route in zip(arrows, layout.routes, strict=True)),
        *(_stage(name, parts, layout) for name in parts.boxes),
        *(_loop(loops[name], layout.boxes[name]) for name in loops),
        *(_label(_lines(a), p) for a, p in zip(arrows, layout.labels, strict=True)),
    ]
    foot = "\n".join(
        f'<text class="label {line.kind}" x="{_n(width / 2)}" y="{_n(height - MARGIN - LINE * (len(legend) - 1 - i))}">'
        f"{escape(line.text)}</text>"
        for i, line in enumerate(legend)
    )
    shift = (width - layout.width) / 2
    body = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label={_quoted(parts.title)}>\n'
        f"<title>{escape(parts.title)}</title>\n<style>{_STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0,1 L10,5 L0,9 z"/></marker></defs>\n'
        f'<rect class="page" width="100%" height="100%"/>\n<g transform="translate({_n(shift)},{_n(MARGIN)})">\n'
        f"{body}\n</g>\n{foot}\n</svg>\n"
    )


def _legend(parts: Parts) -> list[_Line]:
    kinds = {asked for a in parts.arrows for _, _, asked in a.labels}
    found = []
    if len(kinds) > 1:
        found.append(_Line("blue: somebody asks for it; all else happens by itself", "when"))
    if any(a.aside for a in parts.arrows):
        found.append(_Line("dotted: from several stages to the same", "when"))
    return found


def _width(text: str, size: float) -> float:
    return len(text) * size * _ADVANCE


def _box(name: str, loop: Arrow | None) -> Extent:
    if name == START:
        return Extent(8, 8, 16)
    half = _width(name, LARGE) / 2 + 18
    lines = [] if loop is None else _lines(loop)
    beside = 0.0 if loop is None else LOOP + 6 + max(_width(line.text, SMALL) for line in lines)
    return Extent(half, half + beside, max(BOX, LINE * len(lines)))


def _label_extent(arrow: Arrow) -> Extent:
    lines = _lines(arrow)
    half = max((_width(line.text, SMALL) for line in lines), default=0.0) / 2 + 4
    return Extent(half, half, LINE * len(lines) + 4)


def _lines(arrow: Arrow) -> list[_Line]:
    found: list[_Line] = []
    for action, condition, asked in arrow.labels:
        found.append(_Line(action, "asked" if asked else "itself"))
        found += [_Line(text, "when") for text in _wrapped(condition and f"[{condition}]")]
    return found


def _wrapped(text: str) -> list[str]:
    parts = text.replace(" and ", " and\n").splitlines() if len(text) > WIDEST else [text]
    return [line for part in parts for line in wrap(part, WIDEST)]


def _label(lines: list[_Line], centre: Point) -> str:
    top = centre.y - LINE * (len(lines) - 1) / 2 + SMALL * 0.35
    return "\n".join(
        f'<text class="label {line.kind}" x="{_n(centre.x)}" y="{_n(top + LINE * i)}">{escape(line.text)}</text>'
        for i, line in enumerate(lines)
    )


def _stage(name: str, parts: Parts, layout: Layout) -> str:
    at = layout.boxes[name]
    if name == START:
        return f'<circle class="dot" cx="{_n(at.x)}" cy="{_n(at.y)}" r="7"/>'
    half = _width(name, LARGE) / 2 + 18
    final = name in parts.final
    box = _rect("box end" if final else "box", at, half, BOX / 2, 10)
    ring = _rect("ring", at, half - 3.5, BOX / 2 - 3.5, 7) if final else ""
    return f'{box}{ring}<text class="stage" x="{_n(at.x)}" y="{_n(at.y + LARGE * 0.35)}">{escape(name)}</text>'


def _rect(kind: str, at: Point, half: float, tall: float, round_: float) -> str:
    return (
        f'<rect class="{kind}" x="{_n(at.x - half)}" y="{_n(at.y - tall)}" width="{_n(2 * half)}" '
        f'height="{_n(2 * tall)}" rx="{_n(round_)}"/>'
    )


def _arrow(arrow: Arrow, route: tuple[Point, ...]) -> str:
    """From the edge of one box to that of the other; between, a curve that is upright in each layer."""
    down = route[-1].y > route[0].y
    points = list(route)
    for end, name, sign in ((0, arrow.source, 1), (-1, arrow.target, -1)):
        tall = 8.0 if name == START else BOX / 2
        points[end] = Point(route[end].x, route[end].y + (tall + (0 if end == 0 else 1)) * sign * (1 if down else -1))
    path = f"M{_n(points[0].x)},{_n(points[0].y)}"
    for a, b in pairwise(points):
        middle = _n((a.y + b.y) / 2)
        path += f" C{_n(a.x)},{middle} {_n(b.x)},{middle} {_n(b.x)},{_n(b.y)}"
    kind = "arrow aside" if arrow.aside else "arrow"
    return f'<path class="{kind}" marker-end="url(#tip)" d="{path}"/>'


def _loop(arrow: Arrow, at: Point) -> str:
    half = _width(arrow.source, LARGE) / 2 + 18
    x, far = at.x + half, at.x + half + LOOP
    path = f"M{_n(x)},{_n(at.y - 9)} C{_n(far)},{_n(at.y - 22)} {_n(far)},{_n(at.y + 22)} {_n(x + 1)},{_n(at.y + 9)}"
    lines = _lines(arrow)
    top = at.y - LINE * (len(lines) - 1) / 2 + SMALL * 0.35
    texts = "\n".join(
        f'<text class="label loop {line.kind}" x="{_n(far)}" y="{_n(top + LINE * i)}">{escape(line.text)}</text>'
        for i, line in enumerate(lines)
    )
    return f'<path class="arrow" marker-end="url(#tip)" d="{path}"/>\n{texts}'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _quoted(text: str) -> str:
    return '"' + escape(text, {'"': "&quot;"}) + '"'
