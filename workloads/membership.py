"""Group membership: who belongs to a group, and who of them is alive, as every member sees it.

Operations: ``join``, by which a host lives as long as the session; each session is a host of its
own; ``leave``; ``crash``, after which the session is left to expire; ``view``, the group as this
client's watches have it: ``ok`` carries the hosts in ``all`` and ``live``, and the zxid that it may
not go behind.

Fails when a view goes back within a session, or forgets who belongs to the group; or when at the
end, all being healed and every living process having joined, the views of two members differ, a living
member is missing, or a dead one is still there when its session must have expired.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from checkers.members import members
from checkers.progress import progress
from checkers.verdict import all_of
from checkers.views import views
from history.op import Op
from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, ServerError
from impl.coordination.recipes import membership as recipe
from impl.coordination.recipes.insist import SessionLost
from workloads.coordination import (
    EXPIRY_S,
    Session,
    coordination_workload,
    each_until_ok,
    recipes,
    session_name,
)
from workloads.generators import any_of, delay, each_thread, limit, mix, phases, repeat, stagger
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/group"
_WITHIN_S = 3.0
_CRASH_EVERY_S = 4.0
_LOOKS = 15


class MemberClient:
    """A host, and its view of the group."""

    def __init__(self, context: ClientContext, join: Callable[..., Awaitable[None]]) -> None:
        self._join_group = join
        self._process = context.process
        self._sessions = 0
        self._session = Session(context, on_client=self._watch)
        self._view: recipe.View | None = None
        self._does = {"join": self._join, "leave": self._leave, "view": self._look}

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        if op.f == "crash":
            client = await self._session.open()
            await self._session.abandon()
            return op.completed("ok", value={"host": self._host, "session": session_name(client)})
        return await self._session.perform(op, self._does[op.f])

    async def close(self) -> None:
        await self._session.close()

    @property
    def _host(self) -> str:
        return f"h{self._process}-{self._sessions}"

    async def _watch(self, client: Client) -> None:
        self._sessions += 1
        self._view = None
        client.errand(self._follow(client))

    async def _follow(self, client: Client) -> None:
        """Keep the view fresh until the session is over."""
        try:
            with recipe.Views(client, ROOT) as seen:
                while True:
                    view = await seen.next()
                    if not client.state.final:
                        self._view = view
        except (SessionLost, ServerError):
            return

    async def _join(self, client: Client, op: Op) -> dict[str, Any]:
        await _bounded(self._join_group(client, ROOT, self._host, b""))
        return {"host": self._host}

    async def _leave(self, client: Client, op: Op) -> dict[str, Any]:
        await _bounded(recipe.leave(client, ROOT, self._host))
        return {"host": self._host}

    async def _look(self, client: Client, op: Op) -> dict[str, Any]:
        if self._view is None:
            raise DidNotHappen("there is no view yet")
        everyone, live = sorted(self._view.all), sorted(self._view.live)
        return {"view": {"all": everyone, "live": live}, "zxid": self._view.zxid}


async def _bounded(work: Any) -> None:
    """Raises MayHaveHappened when it takes too long, or the session ends on the way."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            await work
    except (TimeoutError, SessionLost) as error:
        raise MayHaveHappened(str(error) or "no answer in time") from error


def membership(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    load = mix(repeat("join"), repeat("leave"), *[repeat("view")] * 4)
    return coordination_workload(
        "membership",
        options,
        client=partial(MemberClient, join=recipes(options).join),
        generator=any_of(stagger(1 / options.rate, load), stagger(_CRASH_EVERY_S, repeat("crash"))),
        final=phases(
            each_until_ok(repeat("join")),
            each_thread(limit(_LOOKS, delay(EXPIRY_S / _LOOKS, repeat("view")))),
            each_until_ok(repeat("view")),
        ),
        checker=all_of(views=views(), members=members(), progress=progress("join", "view")),
        progress=("join", "view"),
    )
