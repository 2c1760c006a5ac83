"""A distributed lock and the resource it is for, without and with fencing tokens.

Operations: ``acquire``, which queues for up to two seconds and keeps its place if that was not
enough; ``use`` of the resource, for which the client looks whether it still believes to hold, and
then acts, with its token; ``release``; ``crash``, after which the client's session is left to
expire. Every other time the lock is kept for longer than a session lasts that nobody hears of.
Setting ``pauses=n`` pauses every n-th ``use`` between looking and acting, for longer than
the session lasts, as a garbage collector or a hypervisor may; none in ``lock`` unless it is set,
every fourth in ``lock-fenced``. In the final phase the first holder is paused if any are.

``lock`` fails when two clients believe to hold at once, or the resource is used with an older token
than before. With pauses it does fail: the lock cannot know that a holder which has looked is about
to act. ``lock-fenced`` has a resource that refuses older tokens, and must not fail with pauses
either. Both fail when tokens don't grow, or when nothing can be acquired and used once all is
healed.

The resource is a thing of the outside world, so it is the harness's: one per run, used at once. A
pause is that of a whole process: nothing is sent meanwhile, so that the servers let the session
expire, and the client acts on what it knew before it learns of that.
"""

from __future__ import annotations

import asyncio
from functools import partial

from checkers.mutual_exclusion import guarded_resource, mutual_exclusion
from checkers.progress import progress
from checkers.verdict import Checker, all_of
from history.op import Op, invoke
from impl.coordination.recipes.parts import Campaign
from workloads.coordination import (
    RETRY_S,
    SESSION_TIMEOUT_S,
    coordination_workload,
    loop_ns,
    recipes,
)
from workloads.generators import (
    Generator,
    cycle,
    delay,
    each_thread,
    limit,
    numbered,
    phases,
    repeat,
    reserve,
    sleep,
    stagger,
    until_ok,
)
from workloads.tenures import Turns
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/lock"
PAUSE_S = 2 * SESSION_TIMEOUT_S
KEPT_S = 2 * SESSION_TIMEOUT_S
_FENCED_PAUSES = 4


class Resource:
    """What the lock is for. ``fenced``: it refuses a token that is less than one it has seen."""

    def __init__(self, *, fenced: bool) -> None:
        self._fenced = fenced
        self._greatest = 0
        self._uses = 0

    def use(self, token: int) -> int | None:
        """How many uses there were before this one; None if it is refused."""
        if self._fenced and token < self._greatest:
            return None
        self._greatest = max(self._greatest, token)
        self._uses += 1
        return self._uses


class LockClient:
    """Takes the lock, looks, uses the resource, and gives the lock back."""

    def __init__(self, context: ClientContext, resource: Resource, acquire: Campaign) -> None:
        self._resource = resource
        self._turns = Turns(context, lambda client: acquire(client, ROOT, b""))

    async def open(self) -> None:
        await self._turns.session.open()

    async def invoke(self, op: Op) -> Op:
        match op.f:
            case "acquire":
                return await self._turns.acquire(op)
            case "use":
                return await self._use(op)
            case "release":
                return await self._turns.release(op)
        return await self._turns.crash(op)

    async def close(self) -> None:
        await self._turns.close()

    async def _use(self, op: Op) -> Op:
        looked = self._turns.check(op)
        if looked.type == "fail":
            return looked
        value = dict(looked.value)
        if op.value:
            await self._pause(op.value)
            value |= {"paused_s": op.value, "believed_ns": loop_ns()}
        seq = self._resource.use(value["token"])
        if seq is None:
            return op.completed("fail", value={"refused": value["token"]}, error="stale-token")
        return op.completed("ok", value={**value, "seq": seq})

    async def _pause(self, pause_s: float) -> None:
        """The process stands still: the servers hear nothing, and it learns nothing."""
        crashed = asyncio.ensure_future(self._turns.session.abandon())
        await asyncio.sleep(pause_s)
        await crashed
        self._turns.forget()


def lock(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for another system's mutant, or bad pauses."""
    checker = all_of(
        mutual_exclusion=mutual_exclusion(),
        guarded_resource=guarded_resource(),
        progress=progress("acquire", "use"),
    )
    return _lock("lock", options, checker, fenced=False, pauses=_pauses(options, 0))


def lock_fenced(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for another system's mutant, or bad pauses."""
    pauses = _pauses(options, _FENCED_PAUSES)
    held = {} if pauses else {"mutual_exclusion": mutual_exclusion()}
    guarded = guarded_resource(pauses=pauses > 0)
    checker = all_of(**held, guarded_resource=guarded, progress=progress("acquire", "use"))
    return _lock("lock-fenced", options, checker, fenced=True, pauses=pauses)


def _lock(
    name: str, options: WorkloadOptions, checker: Checker, *, fenced: bool, pauses: int
) -> Workload:
    acquired = until_ok(repeat("acquire"))
    uses = numbered(lambda n: invoke("use", PAUSE_S if pauses and n % pauses == pauses - 1 else None))
    use = limit(1, repeat("use"))
    turn = cycle(
        *(acquired, limit(pauses or 2, uses), "release"),
        *(acquired, use, sleep(KEPT_S), use, "release"),
        *(acquired, use, "crash"),
    )
    return coordination_workload(
        name,
        options,
        client=partial(LockClient, resource=Resource(fenced=fenced), acquire=recipes(options).lock),
        generator=stagger(1 / options.rate, each_thread(turn)),
        final=_final(pauses),
        checker=checker,
        progress=("acquire", "use"),
    )


def _final(pauses: int) -> Generator:
    """Every thread takes the lock, uses the resource and gives it back, once.

    With pauses, the first one begins as holder and is paused while the others do, so that the resource
    is at risk in every run, however few of the uses before were reached.
    """
    acquired = until_ok(delay(RETRY_S, repeat("acquire")))
    once = cycle(acquired, "use", "release", times=1)
    if not pauses:
        return each_thread(once)
    paused = cycle(invoke("use", PAUSE_S), once, times=1)
    return phases(reserve((1, acquired)), reserve((1, paused), rest=each_thread(once)))


def _pauses(options: WorkloadOptions, unless_set: int) -> int:
    """Every how many uses there is a pause; 0 for none. Raises ValueError."""
    given = str(options.settings.get("pauses", unless_set))
    if not given.isdigit():
        raise ValueError(f"pauses is {given!r}: give a number of uses, or 0 for no pauses")
    return int(given)
