"""A cycle as a ring: operations around it, each edge with the reason why it must hold."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, pi, sin

from reports.events import Shown, brief_text
from reports.reasons import Edge
from reports.shapes import Box, Curve, Figure, Shape, Text, wrapped

MAX_OPS = 20
WIDTH = 720.0
_BOX = (224.0, 46.0)
_LABEL_CHARACTERS = 38


def ring(ops: Sequence[Shown], edges: Sequence[Edge]) -> Figure | None:
    """``ops`` around a ring, clockwise from the left or the top; None for less than two or too many."""
    if not 2 <= len(ops) <= MAX_OPS or not edges:
        return None
    height = 190.0 if len(ops) == 2 else 200.0 + 66.0 * len(ops)
    centres = _centres(len(ops), height)
    place = {op.index: centre for op, centre in zip(ops, centres, strict=True)}
    boxes = [_box(op, *place[op.index]) for op in ops]
    drawn: list[Shape] = []
    for edge in edges:
        drawn += _edge(edge, place[edge.source], place[edge.target], height, len(ops))
    names = ", then ".join(f"op {op.index}" for op in ops)
    return Figure(
        width=WIDTH,
        height=height,
        title=f"{names}: " + "; ".join(f"{e.source} to {e.target}, {e.reason}" for e in edges),
        shapes=(*drawn, *boxes),
    )


def _centres(count: int, height: float) -> list[tuple[float, float]]:
    middle_x, middle_y = WIDTH / 2, height / 2
    if count == 2:
        return [(_BOX[0] / 2 + 2, middle_y), (WIDTH - _BOX[0] / 2 - 2, middle_y)]
    radius_x, radius_y = WIDTH / 2 - _BOX[0] / 2 - 4, height / 2 - _BOX[1] / 2 - 16
    angles = [2 * pi * place / count - pi / 2 for place in range(count)]
    return [(middle_x + radius_x * cos(a), middle_y + radius_y * sin(a)) for a in angles]


def _box(op: Shown, x: float, y: float) -> Box:
    width, height = _BOX
    where = f"process {op.process}" + (f" on {op.node}" if op.node else "")
    lines = (f"op {op.index}  {brief_text(op.summary, 18)}", brief_text(where, 34))
    return Box(x - width / 2, y - height / 2, width, height, lines, f"box {_style(op)}", op.index)


def _style(op: Shown) -> str:
    return op.type if op.type in ("ok", "fail", "info") else "info"


def _edge(
    edge: Edge, source: tuple[float, float], target: tuple[float, float], height: float, count: int
) -> list[Shape]:
    if count == 2:
        return _between_two(edge, source, target)
    middle = ((source[0] + target[0]) / 2, (source[1] + target[1]) / 2)
    away = 0.3
    control = (
        middle[0] + (middle[0] - WIDTH / 2) * away,
        middle[1] + (middle[1] - height / 2) * away,
    )
    start, end = _border(source, control), _border(target, control)
    on_curve = (
        (start[0] + 2 * control[0] + end[0]) / 4,
        (start[1] + 2 * control[1] + end[1]) / 4,
    )
    lines = wrapped(edge.reason, _LABEL_CHARACTERS)
    return [
        Curve(*start, *control, *end, arrow=edge.directed, style=_edge_style(edge)),
        *(
            Text(on_curve[0], on_curve[1] + 4 + 14 * n, text, style="label reason")
            for n, text in enumerate(lines)
        ),
    ]


def _between_two(edge: Edge, source: tuple[float, float], target: tuple[float, float]) -> list[Shape]:
    """Forth above, back below: two edges between the same two are told apart by their side."""
    forth = source[0] <= target[0]
    side = -1 if forth else 1
    y = source[1]
    start = (source[0] + (_BOX[0] / 2 - 30) * (1 if forth else -1), y + side * _BOX[1] / 2)
    end = (target[0] - (_BOX[0] / 2 - 30) * (1 if forth else -1), y + side * _BOX[1] / 2)
    peak = y + side * 84
    lines = wrapped(edge.reason, 60)
    top = y - 52 - 14 * (len(lines) - 1) if forth else y + 74
    return [
        Curve(*start, (start[0] + end[0]) / 2, peak, *end, arrow=edge.directed, style=_edge_style(edge)),
        *(Text(WIDTH / 2, top + 14 * n - 4, text) for n, text in enumerate(lines)),
    ]


def _edge_style(edge: Edge) -> str:
    return "edge" if edge.directed else "edge clash"


def _border(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from ``centre`` leaves its box."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    if hypot(dx, dy) == 0:
        return centre
    scale = min(
        (_BOX[0] / 2 + 3) / abs(dx) if dx else float("inf"),
        (_BOX[1] / 2 + 3) / abs(dy) if dy else float("inf"),
    )
    return centre[0] + dx * min(scale, 1), centre[1] + dy * min(scale, 1)
