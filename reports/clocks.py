"""How far the nodes' clocks were off, over the run, as the nemesis read them around its actions.

Between two readings the offset lies between them; while a strobe is on, whose swings are not recorded,
it also jumps to where the clock would be without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from history.history import History
from history.op import Op

Span: TypeAlias = tuple[int, int, int | None, int | None]

STROBE = "clock-strobe"
HEAL = "heal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One node whose clock was ever off: (since_us, until_us, low_us, high_us) per span.

    ``low_us`` and ``high_us`` are None while the clock could not be read.
    """

    node: str
    spans: tuple[Span, ...]


@dataclass(slots=True)
class _Hand:
    """A clock on the way through the run; ``offset_us`` is None while it is not known."""

    spans: list[Span] = field(default_factory=list)
    since_us: int = 0
    offset_us: int | None = 0
    swings_us: dict[Any, int] = field(default_factory=dict)

    def moved(self, time_us: int, before_us: int | None, after_us: int | None) -> None:
        """Read before and after something was done to it."""
        self.spans.append((self.since_us, time_us, *self._bounds(before_us)))
        self.since_us, self.offset_us = time_us, after_us

    def _bounds(self, before_us: int | None) -> tuple[int | None, int | None]:
        if self.offset_us is None or before_us is None:
            return None, None
        ends = [self.offset_us, before_us]
        for swing in self.swings_us.values():
            ends.append(min(ends[0] - swing, ends[0] + swing, key=abs))
        return min(ends), max(ends)


def clocks(history: History, nodes: Sequence[str], end_ns: int) -> tuple[Clock, ...]:
    """The clocks that were touched, over the run that ended at ``end_ns``; readings only, no guesses."""
    hands = {node: _Hand() for node in nodes}
    for op in history.nemesis():
        if op.f == HEAL:
            for hand in hands.values():
                hand.moved(op.time // 1000, hand.offset_us, 0)
                hand.swings_us.clear()
        for node, before_us, after_us in _readings(op):
            hand = hands.setdefault(node, _Hand())
            hand.moved(op.time // 1000, before_us, after_us)
            _remember(hand, op)
    for hand in hands.values():
        hand.moved(end_ns // 1000, hand.offset_us, None)
    touched = (
        (node, hand)
        for node, hand in hands.items()
        if any(low is None or low or high for *_, low, high in hand.spans)
    )
    return tuple(Clock(node=node, spans=tuple(hand.spans)) for node, hand in touched)


def _readings(op: Op) -> Iterator[tuple[str, int | None, int | None]]:
    effect = op.value.get("effect") if isinstance(op.value, Mapping) else None
    read = effect.get("clock") if isinstance(effect, Mapping) else None
    for node, clock in read.items() if isinstance(read, Mapping) else ():
        match clock:
            case {"read_s": [int() | float() as before, int() | float() as after]}:
                yield str(node), round(before * 1e6), round(after * 1e6)
            case _:
                yield str(node), None, None


def _remember(hand: _Hand, op: Op) -> None:
    """Swings begin and end with their strobe."""
    fault, arguments = op.value.get("fault"), op.value.get("args")
    if op.value.get("phase") == "end":
        hand.swings_us.pop(fault, None)
    elif op.f == STROBE and isinstance(arguments, Mapping):
        swing = arguments.get("offset_s", 0)
        hand.swings_us[fault] = round(swing * 1e6) if isinstance(swing, int | float) else 0
