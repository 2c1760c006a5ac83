"""What a decider answers: it holds, it does not and these operations prove it, or it can't tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias


class Answer(Enum):
    """The answers that need no proof."""

    HOLDS = "holds"
    UNDECIDED = "undecided"


HOLDS: Final = Answer.HOLDS
UNDECIDED: Final = Answer.UNDECIDED


@dataclass(frozen=True, slots=True)
class Contradiction:
    """``message`` says in one sentence what contradicts what; ``rows`` are the operations behind it.

    Rows count the operations given to the decider and stand in the order in which the message names
    them.
    """

    message: str
    rows: tuple[int, ...]


Finding: TypeAlias = Literal[Answer.HOLDS, Answer.UNDECIDED] | Contradiction
