"""Libraries that block, behind coroutines."""

from __future__ import annotations

import asyncio
import threading

import pytest

from workloads.brokers.threads import Thread


def test_calls_are_made_one_after_the_other_in_a_thread_of_their_own() -> None:
    async def main() -> list[tuple[int, str]]:
        thread = Thread("library")
        order: list[tuple[int, str]] = []

        def call(number: int) -> None:
            order.append((number, threading.current_thread().name))

        await asyncio.gather(*(thread.call(call, number) for number in range(5)))
        thread.end()
        return order

    assert asyncio.run(main()) == [(number, "library") for number in range(5)]


def test_what_a_call_raises_comes_out_of_it() -> None:
    async def main() -> None:
        thread = Thread("library")
        with pytest.raises(ZeroDivisionError):
            await thread.call(lambda: 1 // 0)
        thread.end()

    asyncio.run(main())


def test_a_library_waits_in_its_callback_until_all_is_told_and_answers_calls_meanwhile() -> None:
    async def main() -> list[str]:
        thread = Thread("library")
        order: list[str] = []

        async def told() -> None:
            order.append("told")
            order.append(await thread.call(lambda: "asked in between"))
            await asyncio.sleep(0)

        def rebalance() -> None:
            thread.tell(told())
            order.append("goes on")

        await asyncio.wait_for(thread.call(rebalance), 10)
        order.append(await thread.call(lambda: "asked later"))
        thread.end()
        return order

    assert asyncio.run(main()) == ["told", "asked in between", "goes on", "asked later"]


def test_what_is_raised_while_it_is_told_comes_to_the_library() -> None:
    async def main() -> None:
        thread = Thread("library")

        async def told() -> None:
            raise KeyError("partition")

        with pytest.raises(KeyError):
            await thread.call(lambda: thread.tell(told()))
        thread.end()

    asyncio.run(main())
