"""The processes of a run: each has a client, and a task that takes operations to it one by one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from cluster.api import Endpoint
from history.op import Op
from workloads.generators import Thread
from workloads.generators.context import scramble
from workloads.workload import Client, ClientContext

MakeClient: TypeAlias = Callable[[ClientContext], Client]
Report: TypeAlias = Callable[[Op, Op], None]
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What all processes have in common."""

    make: MakeClient
    endpoints: Mapping[str, Endpoint]
    seed: int
    close_timeout_s: float
    reopen_delay_s: float
    ports: Mapping[str, Mapping[str, Endpoint]]

    def client(self, process: int) -> Client:
        """A new client; its seed depends on the run's seed and the process's number alone."""
        seed = scramble(scramble(self.seed) + process)
        return self.make(
            ClientContext(process=process, endpoints=self.endpoints, seed=seed, ports=self.ports)
        )


class Processes:
    """The process that each thread acts as at present, and the clients that are being closed.

    ``report(op, answer)`` is called for whatever a process answers, even one that was retired since;
    ``fail(error)`` if making a client raises.
    """

    def __init__(self, terms: Terms, report: Report, fail: Callable[[BaseException], None]) -> None:
        self._terms = terms
        self._report = report
        self._fail = fail
        self._current: dict[Thread, _Process] = {}
        self._closing: dict[asyncio.Task[None], None] = {}

    def give(self, thread: Thread, op: Op) -> None:
        """Let the thread's process do ``op``; a process is begun if the thread has none."""
        process = self._current.get(thread)
        if process is None:
            process = _Process(cast(int, op.process), self._terms, self._report, self._close_beside)
            process.task.add_done_callback(self._ended)
            self._current[thread] = process
        process.give(op)

    def invoking(self, thread: Thread) -> bool:
        """Whether the thread's operation has reached its client, which was open."""
        return self._current[thread].invoking

    def retire(self, thread: Thread) -> None:
        """Give up the thread's process, whatever it is at; its client is closed beside the run."""
        self._beside(self._end(self._current.pop(thread)))

    async def shut_down(self) -> None:
        """Retire all, and wait until their clients are closed, though not for ever."""
        for thread in tuple(self._current):
            self.retire(thread)
        if self._closing:
            await asyncio.wait(tuple(self._closing), timeout=3 * self._terms.close_timeout_s)
        for task in tuple(self._closing):
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    async def _end(self, process: _Process) -> None:
        process.task.cancel()
        await asyncio.wait((process.task,), timeout=self._terms.close_timeout_s)
        if process.client is not None:
            await self._close(process.client)

    async def _close(self, client: Client) -> None:
        try:
            async with asyncio.timeout(self._terms.close_timeout_s):
                await client.close()
        except Exception as error:
            _log.debug("a client could not be closed: %s", described(error))

    def _close_beside(self, client: Client) -> None:
        self._beside(self._close(client))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing[task] = None
        task.add_done_callback(self._closing.pop)


class _Process:
    """``client`` is there from its opening on; ``invoking`` while an operation is with it."""

    def __init__(
        self, number: int, terms: Terms, report: Report, close: Callable[[Client], None]
    ) -> None:
        self.client: Client | None = None
        self.invoking = False
        self._number = number
        self._terms = terms
        self._report = report
        self._close = close
        self._given: Op | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.task = self._loop.create_task(self._work(), name=f"process {number}")

    def give(self, op: Op) -> None:
        """Hand over an operation; the one before has been answered."""
        self._given = op
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _work(self) -> None:
        while not self.task.cancelling():
            if self._given is None:
                self._waiting = self._loop.create_future()
                await self._waiting
                continue
            op, self._given = self._given, None
            self._report(op, await self._perform(op))

    async def _perform(self, op: Op) -> Op:
        client = self.client
        if client is None:
            client = self.client = self._terms.client(self._number)
            try:
                await client.open()
            except Exception as error:
                return await self._without_client(op, client, error)
        self.invoking = True
        try:
            return await client.invoke(op)
        except Exception as error:
            return op.completed("info", error=f"indeterminate: {described(error)}")
        except asyncio.CancelledError:
            if self.task.cancelling():
                raise
            return op.completed("info", error="indeterminate: CancelledError")
        finally:
            self.invoking = False

    async def _without_client(self, op: Op, client: Client, error: Exception) -> Op:
        self.client = None
        self._close(client)
        await asyncio.sleep(self._terms.reopen_delay_s)
        return op.completed("fail", error=f"no-client: {described(error)}")


def described(error: BaseException) -> str:
    """The error's type and message."""
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name
