"""Our own APIs: what brokers ask of the controller, for the broker that is it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import UUID

from impl.queue.metadata.controller import Controller
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol.codec import Request
from impl.queue.protocol.errors import ApiError, Code, Malformed
from impl.queue.protocol.keys import OwnKey
from impl.queue.serving.broker import Broker

_Values: TypeAlias = Mapping[str, Any]


async def control(broker: Broker, request: Request) -> dict[str, Any]:
    """The answer: ``error`` is 0 or Kafka's code, ``message`` what it says. Raises Malformed."""
    try:
        controller = broker.state.controller
        if controller is None:
            raise ApiError(Code.not_controller)
        try:
            work = _HANDLERS[request.key](controller, request.body)
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"a message among brokers lacks something: {error!r}") from error
        answer = await controller.term(work)
    except ApiError as error:
        return {"error": int(error.code), "message": error.message}
    return {"error": 0, **answer}


def _images(controller: Controller, asked: _Values) -> Awaitable[_Values]:
    return controller.images.after(
        int(asked["broker"]),
        int(asked["broker_epoch"]),
        int(asked["epoch"]),
        int(asked["version"]),
        asked["wait_ms"] / 1000,
    )


def _isr(controller: Controller, asked: _Values) -> Awaitable[_Values]:
    change = partial(
        controller.change_isr,
        int(asked["broker"]),
        int(asked["broker_epoch"]),
        PartitionKey(str(asked["topic"]), int(asked["partition"])),
        (int(asked["leader_epoch"]), int(asked["version"])),
        {int(member): int(epoch) for member, epoch in asked["members"]},
    )
    return _placed(controller, change)


def _topic(controller: Controller, asked: _Values) -> Awaitable[_Values]:
    name = str(asked["name"])
    change: Callable[[], Awaitable[None]]
    match asked["what"]:
        case "create":
            assignment, settings = _assignment(asked), dict(asked["settings"])
            change = partial(controller.create_topic, name, UUID(asked["id"]), assignment, settings)
        case "delete":
            change = partial(controller.delete_topic, name)
        case "enlarge":
            change = partial(controller.add_partitions, name, _assignment(asked), int(asked["has"]))
        case "settings":
            change = partial(controller.change_settings, name, dict(asked["settings"]))
        case "prefer":
            change = partial(controller.prefer_in, name, frozenset(map(int, asked["partitions"])))
        case "move":
            targets = {
                int(number): None if target is None else tuple(map(int, target))
                for number, target in asked["targets"]
            }
            change = partial(controller.move, name, targets)
        case what:
            raise ValueError(f"a topic cannot be changed by {what!r}")
    return _placed(controller, change)


def _assignment(asked: _Values) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(each) for each in replicas) for replicas in asked["assignment"])


def _leave(controller: Controller, asked: _Values) -> Awaitable[_Values]:
    broker, epoch = int(asked["broker"]), int(asked["broker_epoch"])
    return _placed(controller, partial(controller.leave, broker, epoch))


async def _placed(controller: Controller, change: Callable[[], Awaitable[None]]) -> _Values:
    """Make the change; where the image stands that shows it."""
    await change()
    return {"epoch": controller.image.controller_epoch, "version": controller.image.version}


_HANDLERS: Mapping[int, Callable[[Controller, _Values], Awaitable[_Values]]] = MappingProxyType(
    {
        OwnKey.FETCH_IMAGE: _images,
        OwnKey.CHANGE_ISR: _isr,
        OwnKey.CHANGE_TOPIC: _topic,
        OwnKey.SHUT_DOWN: _leave,
    }
)
