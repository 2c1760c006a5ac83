"""Watches: called once and in order, kept over a reconnect, counted."""

import asyncio

from impl.coordination.client.states import State
from impl.coordination.client.watches import ClientWatches, Table, WatchEvent
from impl.coordination.protocol.opcodes import SHAPES, Op
from impl.coordination.protocol.records import SetWatchesRequest, WatcherEvent
from impl.coordination.watches import Event
from tests.impl.coordination.client.scripted import Peer, Play, play


def test_an_event_is_told_before_the_answer_that_comes_behind_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        first = await peer.asked()
        assert first.record.watch
        peer.data(first.xid, b"old")
        second = await peer.asked()
        peer.event(Event.DATA_CHANGED, "/a")
        peer.data(second.xid, b"new")
        await peer.serve()

    async def main(play: Play) -> list[object]:
        told: list[object] = []
        client = play.client()
        client.start()
        told.append((await client.get("/a", watch=told.append)).data)
        told.append((await client.get("/a")).data)
        assert client.watch_events == 1
        await client.abandon()
        return told

    assert play(script, main) == [b"old", WatchEvent(Event.DATA_CHANGED, "/a"), b"new"]


def test_what_still_waits_is_asked_for_again_after_a_reconnect_and_what_fired_is_not() -> None:
    again: list[SetWatchesRequest] = []

    async def script(peer: Peer) -> None:
        await peer.handshake()
        if peer.number == 1:
            for _ in range(3):
                asked = await peer.asked()
                if asked.op == Op.EXISTS:
                    peer.reply(asked.xid, zxid=33, error=-101)
                else:
                    peer.data(asked.xid, b"", zxid=33)
            peer.event(Event.DATA_CHANGED, "/app/fired")
            peer.close()
            return
        asked = await peer.asked()
        assert asked.op == Op.SET_WATCHES
        again.append(asked.record)
        peer.reply(asked.xid)
        peer.event(Event.CREATED, "/app/missing")
        await peer.serve()

    async def main(play: Play) -> list[WatchEvent]:
        told: list[WatchEvent] = []
        client = play.client(chroot="/app")
        client.start()
        await client.get("/kept", watch=told.append)
        await client.get("/fired", watch=told.append)
        await client.exists("/missing", watch=told.append)
        await client.reached(State.SUSPENDED)
        await client.connected()
        await asyncio.sleep(0.1)
        await client.abandon()
        return told

    told = play(script, main)
    assert again == [SetWatchesRequest(33, ("/app/kept",), ("/app/missing",), ())]
    assert told == [WatchEvent(Event.DATA_CHANGED, "/fired"), WatchEvent(Event.CREATED, "/missing")]


def test_a_watch_on_data_and_children_is_told_of_a_deletion_once() -> None:
    watches, told = ClientWatches(), [].append
    for table in (Table.DATA, Table.CHILD, Table.PERSISTENT):
        watches.add(table, "/a", told)
    assert watches.fired(WatcherEvent(Event.DELETED, 3, "/a")) == [told]
    assert watches.fired(WatcherEvent(Event.CREATED, 3, "/a")) == [told]


def test_a_recursive_watch_is_told_of_what_happens_below_but_not_of_lists_of_children() -> None:
    watches, told = ClientWatches(), [].append
    watches.add(Table.RECURSIVE, "/", told)
    assert watches.fired(WatcherEvent(Event.CREATED, 3, "/a/b")) == [told]
    assert watches.fired(WatcherEvent(Event.CHILDREN_CHANGED, 3, "/a")) == []


def test_a_discarded_watch_is_never_called() -> None:
    watches, told = ClientWatches(), [].append
    watches.add(Table.DATA, "/a", told)
    watches.discard("/a", told)
    watches.discard("/a", told)
    assert watches.fired(WatcherEvent(Event.DELETED, 3, "/a")) == []
    assert list(watches.requests(1)) == []


def test_many_watches_are_asked_for_in_frames_that_a_server_takes() -> None:
    watches = ClientWatches()
    for number in range(20_000):
        watches.add(Table.CHILD if number % 2 else Table.RECURSIVE, f"/znode-{number:012}", print)
    requests = list(watches.requests(5))
    assert max(len(record) for _, record in requests) < 200_000
    records = [SHAPES[op].request.decode(record) for op, record in requests]
    paths = [path for record in records for paths in record[3:] for path in paths]
    assert len(set(paths)) == len(paths) == 20_000
    assert {op for op, _ in requests} == {Op.SET_WATCHES, Op.SET_WATCHES2}
