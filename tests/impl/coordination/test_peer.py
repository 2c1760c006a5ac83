"""A server between two terms."""

from __future__ import annotations

import asyncio
from functools import partial

from impl.coordination.parts import Parts
from impl.coordination.server import serve
from impl.coordination.zab.leader import Leader
from impl.coordination.zab.roles import Abdicated
from tests.impl.coordination.simensemble import Ensemble, simulate

SERVES_S, FOR_S = 5.0, 60.0


def test_terms_that_end_at_once_become_rare() -> None:
    terms = 0

    class Unfit(Leader):
        """Leads for some seconds, once; afterwards it gives up as soon as it is elected."""

        async def run(self) -> None:
            nonlocal terms
            terms += 1
            if terms == 1:
                async with asyncio.timeout(SERVES_S):
                    await super().run()
            raise Abdicated("not any more")

    async def scenario(ensemble: Ensemble) -> None:
        await asyncio.sleep(SERVES_S + FOR_S)

    simulate(scenario, program=partial(serve, parts=Parts(leader=Unfit)), servers=1)
    assert FOR_S / 2 <= terms <= 3 * FOR_S
