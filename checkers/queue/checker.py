"""The checker of queue workloads: the messages are gathered once, and every part judges them.

What invalidates depends on what was promised (``Promises``); see ``docs/queue-checkers.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

from checkers.queue.cycles import cycles
from checkers.queue.groups import groups
from checkers.queue.keys import keys
from checkers.queue.leaders import leaders
from checkers.queue.log import log
from checkers.queue.messages import Messages, messages
from checkers.queue.offsets import offsets
from checkers.queue.polls import polls
from checkers.queue.promises import Promises
from checkers.queue.sends import sends
from checkers.queue.versions import Versions, versions
from checkers.verdict import Checker, Options, Verdict, all_of
from history.history import History

Part: TypeAlias = Callable[[Messages, Versions, Options], Verdict]
PARTS = ("groups", "offsets", "keys", "leaders")
"""What can be judged beside ``log``, ``polls`` and ``sends``, which always are."""


def queue(promises: Promises | None = None, *, also: Sequence[str] = ()) -> Checker:
    """Judges ``log``, ``polls``, ``sends`` and those of ``PARTS`` that are named in ``also``.

    ``promises`` are those of acks=all and an idempotent producer unless others are given. Raises
    ValueError for a part that there isn't.
    """
    promised = promises or Promises()
    for name in also:
        if name not in PARTS:
            raise ValueError(f"the queue checker has no part {name!r}; it has {', '.join(PARTS)}")
    wanted = {name: part for name, part in _parts(promised).items() if name not in PARTS or name in also}

    def check(history: History, options: Options) -> Verdict:
        @cache
        def gathered() -> tuple[Messages, Versions]:
            every = messages(history)
            return every, versions(every, believed=promised.acks == "all")

        def judge(part: Part) -> Checker:
            return lambda _, facts: part(*gathered(), facts)

        return all_of(**{name: judge(part) for name, part in wanted.items()})(history, options)

    return check


def _parts(promised: Promises) -> dict[str, Part]:
    return {
        "log": lambda every, order, options: log(
            every, order, promised, options, further=cycles(every, order)
        ),
        "polls": lambda every, order, _: polls(every, order, promised),
        "sends": lambda every, order, _: sends(every, order, promised),
        "groups": lambda every, order, _: groups(every),
        "offsets": lambda every, order, _: offsets(every, order),
        "keys": lambda every, order, _: keys(every),
        "leaders": lambda every, order, _: leaders(every),
    }
