"""The controller's office: won by election, held while the session is certain, given up on any error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from impl.coordination.client.client import Client
from impl.coordination.recipes import election_herd
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.holding import Holding
from impl.coordination.recipes.insist import insist
from impl.queue.metadata import loading, registration, znodes
from impl.queue.metadata.controller import Controller, Rules

if TYPE_CHECKING:
    from impl.queue.metadata.cluster import Membership

_log = logging.getLogger(__name__)


async def hold_office(
    client: Client,
    membership: Membership,
    rules: Rules,
    in_office: Callable[[Controller | None], None],
) -> None:
    """Campaign, and control until the office is lost. Raises SessionLost.

    ``in_office`` is given the controller when it has begun, and None when it has ended.
    """
    me = membership.me
    data = registration.office(me, membership.internal)
    held = await election_herd.campaign(client, znodes.CONTROLLER, data)
    try:
        await _serve(client, held, membership, rules, in_office)
    finally:
        in_office(None)
        await held.release()


async def _serve(
    client: Client,
    held: Holding,
    membership: Membership,
    rules: Rules,
    in_office: Callable[[Controller | None], None],
) -> None:
    work = asyncio.ensure_future(_term(client, membership, rules, in_office))
    lost = asyncio.ensure_future(held.lost())
    try:
        await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            _log.info("broker %d is controller no longer: %s", membership.me.id, lost.result())
    finally:
        work.cancel()
        lost.cancel()
        await asyncio.wait((work, lost))
    if not work.cancelled() and (error := work.exception()) is not None:
        _log.warning("broker %d gives up being controller: %s", membership.me.id, error)


async def _term(
    client: Client,
    membership: Membership,
    rules: Rules,
    in_office: Callable[[Controller | None], None],
) -> None:
    """Read everything, settle it, then follow the brokers; ends by raising."""
    loaded = await loading.load(client, membership.me.id)
    controller = Controller(client, loaded, membership.unclean, rules)
    _log.info("broker %d is controller, epoch %d", membership.me.id, loaded.image.controller_epoch)
    with Bell(client) as bell:
        await controller.brokers_are(await loading.brokers(client, bell.ring))
        await controller.take_up()
        in_office(controller)
        tasks = [asyncio.ensure_future(_brokers(client, controller, bell))]
        if membership.prefer_every_s is not None:
            tasks.append(asyncio.ensure_future(_prefer(controller, membership.prefer_every_s)))
        over = asyncio.ensure_future(_over(controller))
        try:
            await asyncio.wait((*tasks, over), return_when=asyncio.FIRST_COMPLETED)
            for task in (*tasks, over):
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, over):
                task.cancel()
            await asyncio.wait((*tasks, over))


async def _over(controller: Controller) -> None:
    raise await asyncio.shield(controller.over)


async def _brokers(client: Client, controller: Controller, bell: Bell) -> None:
    while True:
        await bell.heard()
        live = await insist(client, lambda: loading.brokers(client, bell.ring))
        await controller.brokers_are(live)


async def _prefer(controller: Controller, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await controller.prefer()
