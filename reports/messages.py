"""What machines sent each other while an operation of a witness ran, as a space-time diagram.

One line per machine, time to the right, an arrow from where and when a message was sent to where and
when it arrived (Lamport, "Time, clocks, and the ordering of events in a distributed system", 1978); one
that was dropped ends in a cross on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.events import Shown
from reports.shapes import Curve, Figure, Shape, Text
from reports.text import brief, duration, safe, seconds

WIDTH = 720.0
MAX_OPS = 3
MAX_SHOWN = 60
_LABELLED = 10
_MARGIN_NS = 2_000_000
_LEFT, _RIGHT, _TOP, _LANE = 64.0, 16.0, 18.0, 44.0
_CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Times in ns since the start; ``arrived_ns`` is None if it was dropped; ``text`` what it says."""

    sent_ns: int
    arrived_ns: int | None
    source: str
    destination: str
    port: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The last ``messages`` while the operation ``op`` ran; ``left_out`` earlier ones are not shown."""

    op: int
    messages: tuple[Message, ...]
    left_out: int
    figure: Figure

    @property
    def dropped(self) -> int:
        """How many of the messages did not arrive."""
        return sum(message.arrived_ns is None for message in self.messages)


def messages(lines: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """The lines of a run's ``messages.jsonl`` in order of time; what is no message is passed over."""
    found = (_message(line) for line in lines)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.sent_ns))


def exchanges(ops: Sequence[Shown], sent: Sequence[Message]) -> tuple[Exchange, ...]:
    """For each of the first operations the messages that were under way meanwhile, if there were any."""
    found = []
    for op in ops[:MAX_OPS]:
        end_ns = op.call_ns if op.ret_ns is None else op.ret_ns
        begin_ns, end_ns = op.call_ns - _MARGIN_NS, end_ns + _MARGIN_NS
        meanwhile = [one for one in sent if begin_ns <= one.sent_ns <= end_ns]
        if meanwhile:
            kept = tuple(meanwhile[-MAX_SHOWN:])
            found.append(
                Exchange(
                    op=op.index,
                    messages=kept,
                    left_out=len(meanwhile) - len(kept),
                    figure=_drawn(op, kept),
                )
            )
    return tuple(found)


def _message(line: Mapping[str, Any]) -> Message | None:
    try:
        arrived = line["arrived"]
        return Message(
            sent_ns=int(line["sent"]),
            arrived_ns=None if arrived is None else int(arrived),
            source=safe(str(line["from"]), limit=40),
            destination=safe(str(line["to"]), limit=40),
            port=safe(str(line["port"]), limit=40),
            text=brief(str(line["text"]), 120),
        )
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where a moment on a machine lies in the picture."""

    lanes: tuple[str, ...]
    begin_ns: int
    end_ns: int

    def x(self, time_ns: float) -> float:
        return _LEFT + (time_ns - self.begin_ns) / (self.end_ns - self.begin_ns) * (
            WIDTH - _LEFT - _RIGHT
        )

    def y(self, machine: str) -> float:
        return _TOP + self.lanes.index(machine) * _LANE

    @property
    def bottom(self) -> float:
        return _TOP + (len(self.lanes) - 1) * _LANE + 14


def _drawn(op: Shown, kept: Sequence[Message]) -> Figure:
    plane = _plane(kept)
    shapes: list[Shape] = []
    for lane in plane.lanes:
        shapes += _lane(plane, lane)
    for message in kept:
        shapes += _arrow(plane, message)
    if len(kept) <= _LABELLED:
        shapes += [_label(plane, message) for message in kept]
    shapes += _axis(plane)
    lost = sum(message.arrived_ns is None for message in kept)
    return Figure(
        width=WIDTH,
        height=plane.bottom + 26,
        title=f"{len(kept)} messages between {', '.join(plane.lanes)} while op {op.index} ran,"
        f" {lost} of them dropped",
        shapes=tuple(shapes),
    )


def _plane(kept: Sequence[Message]) -> _Plane:
    named = {name for message in kept for name in (message.source, message.destination)}
    lanes = tuple(sorted(named, key=lambda name: (name != _CLIENT, name)))
    begin_ns = kept[0].sent_ns
    ends = [message.sent_ns if message.arrived_ns is None else message.arrived_ns for message in kept]
    return _Plane(lanes, begin_ns, max(*ends, begin_ns + 1_000))


def _lane(plane: _Plane, lane: str) -> list[Shape]:
    y = plane.y(lane)
    return [
        Text(_LEFT - 8, y + 4, brief(lane, 9), "end"),
        Curve(_LEFT, y, _LEFT, y, WIDTH - _RIGHT, y, arrow=False, style="lane"),
    ]


def _arrow(plane: _Plane, message: Message) -> list[Shape]:
    x1, y1, y2 = plane.x(message.sent_ns), plane.y(message.source), plane.y(message.destination)
    told = (
        f"{message.source} to {message.destination} ({message.port}): {message.text}, {_when(message)}"
    )
    if message.arrived_ns is not None:
        x2 = plane.x(message.arrived_ns)
        return [Curve(x1, y1, (x1 + x2) / 2, (y1 + y2) / 2, x2, y2, style="packet", told=told)]
    x2, y2 = x1 + 5, y1 + (y2 - y1) * 0.4
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    style = "packet dropped"
    return [
        Curve(x1, y1, *middle, x2, y2, arrow=False, style=style, told=told),
        Text(x2, y2 + 4, "×", style="label alarm"),
    ]


def _label(plane: _Plane, message: Message) -> Text:
    x, down = plane.x(message.sent_ns), plane.y(message.destination) > plane.y(message.source)
    right = x > WIDTH / 2
    y = plane.y(message.source) + (13 if down else -5)
    return Text(x - 4 if right else x + 4, y, brief(message.text, 34), "end" if right else "start")


def _axis(plane: _Plane) -> list[Shape]:
    span = duration(plane.end_ns - plane.begin_ns)
    return [
        Text(_LEFT, plane.bottom + 14, seconds(plane.begin_ns), "start", "label quiet"),
        Text(WIDTH - _RIGHT, plane.bottom + 14, f"{span} later", "end", "label quiet"),
    ]


def _when(message: Message) -> str:
    if message.arrived_ns is None:
        return f"sent at {seconds(message.sent_ns)}, dropped"
    return f"sent at {seconds(message.sent_ns)}, took {duration(message.arrived_ns - message.sent_ns)}"
