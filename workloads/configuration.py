"""Shared configuration: one znode, changed by compare-and-set, that every client keeps a view of.

Operations: ``set`` of a number that is used once only, on condition that the version is that of
this client's view; ``ok`` carries version and zxid, a refused one is a ``fail`` with the error
``bad-version``. ``view``, the configuration as this client's watch has it.

Fails when a view goes back within a session; when two clients see different values in one version,
or one that nobody set or that was refused; or when at the end, all being healed and some changes
having been made before everybody's eyes, views differ or are older than a change that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from checkers.progress import progress
from checkers.settings import settings
from checkers.verdict import all_of
from checkers.views import views
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, ServerError
from impl.coordination.recipes import configuration as recipe
from impl.coordination.recipes.insist import SessionLost
from workloads.coordination import (
    RETRY_S,
    SESSION_TIMEOUT_S,
    Session,
    coordination_workload,
    each_until_ok,
    recipes,
)
from workloads.generators import (
    delay,
    each_thread,
    limit,
    mix,
    numbered,
    phases,
    repeat,
    sleep,
    stagger,
)
from workloads.workload import ClientContext, Workload, WorkloadOptions

PATH = "/configuration"
_LAST_CHANGES = 8


class ConfigurationClient:
    """A view of the configuration, and changes of it."""

    def __init__(
        self, context: ClientContext, settings: Callable[[Client, str], recipe.Settings]
    ) -> None:
        self._settings = settings
        self._session = Session(context, paths=(PATH,), on_client=self._watch)
        self._setting: recipe.Setting | None = None

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        return await self._session.perform(op, self._set if op.f == "set" else self._look)

    async def close(self) -> None:
        await self._session.close()

    async def _watch(self, client: Client) -> None:
        self._setting = None
        client.errand(self._follow(client))

    async def _follow(self, client: Client) -> None:
        """Keep the view fresh until the session is over."""
        try:
            with self._settings(client, PATH) as seen:
                while True:
                    setting = await seen.next()
                    if not client.state.final:
                        self._setting = setting
        except (SessionLost, ServerError):
            return

    async def _set(self, client: Client, op: Op) -> dict[str, Any]:
        version = self._known().version
        try:
            made = await recipe.compare_and_set(client, PATH, b"%d" % op.value, version=version)
        except SessionLost as error:
            raise MayHaveHappened(str(error)) from error
        return {"value": op.value, "version": made.version, "zxid": made.zxid}

    async def _look(self, client: Client, op: Op) -> dict[str, Any]:
        known = self._known()
        value = int(known.value) if known.value else None
        return {"view": {"value": value, "version": known.version}, "zxid": known.zxid}

    def _known(self) -> recipe.Setting:
        if self._setting is None:
            raise DidNotHappen("there is no view yet")
        return self._setting


def configuration(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    sets = numbered(lambda n: invoke("set", n))
    last_sets = limit(_LAST_CHANGES, delay(RETRY_S, numbered(lambda n: invoke("set", -1 - n))))
    return coordination_workload(
        "configuration",
        options,
        client=partial(ConfigurationClient, settings=recipes(options).settings),
        generator=stagger(1 / options.rate, mix(sets, repeat("view"), repeat("view"))),
        final=phases(
            each_until_ok(repeat("view")),
            last_sets,
            each_thread(sleep(SESSION_TIMEOUT_S)),
            each_until_ok(repeat("view")),
        ),
        checker=all_of(views=views(), settings=settings(), progress=progress("view")),
        progress=("view",),
    )
