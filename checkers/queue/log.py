"""What became of each message: G1a, lost-write, unseen, inconsistent-offsets, duplicate, read-then-gone.

Rules and names are those of ``jepsen.tests.kafka``, except for read-then-gone. All decide on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from checkers.queue.around import around
from checkers.queue.extent import Extent, extent, lost
from checkers.queue.messages import Mask, Messages, among, codes
from checkers.queue.promises import SHOWN, Found, Promises, verdict
from checkers.queue.versions import Versions
from checkers.verdict import Anomaly, Options, Verdict
from history.history import FAIL, OK


def log(
    messages: Messages,
    versions: Versions,
    promises: Promises,
    options: Options,
    *,
    further: Sequence[Found] = (),
) -> Verdict:
    """The verdict on the log itself, and ``further`` findings.

    Unknown when nothing was acknowledged, or nothing polled.
    """
    sends, reads = messages.sends, messages.reads
    acked, polled = int((sends.outcome == OK).sum()), int(versions.read.sum())
    how_far = extent(messages, versions)
    passed, late = lost(messages, versions, how_far)
    kinds = [
        _aborted(messages),
        _lost(messages, versions, passed, how_far),
        _unseen(messages, versions, late),
        _inconsistent(messages, versions),
        _duplicate(messages, versions),
        _own(messages),
        _gone(messages, versions, how_far),
        *further,
    ]
    counts = {
        "send-count": len(sends.row),
        "acknowledged-count": acked,
        "poll-count": len(reads.row),
        "polled-count": polled,
        "key-count": len(messages.keys),
    }
    missing = "acknowledged" if not acked else "polled" if not polled else None
    ended = "start_wall_ns" not in options or "final_index" in options
    return verdict(
        "log",
        kinds,
        allowed=promises.allowed(),
        counts=counts,
        nothing=f"no message was {missing}" if missing else None,
        open_={} if ended else {"unseen": "the run was stopped before everything was read to its end"},
    )


def _aborted(messages: Messages) -> Found:
    """Somebody polled what certainly was not written."""
    sends, reads = messages.sends, messages.reads
    failed = sends.message[sends.outcome == FAIL]
    failed = failed[~among(failed, sends.message[sends.outcome != FAIL])]
    good = messages.operations.outcome[reads.row] == OK
    at = np.flatnonzero(among(reads.message, failed) & good)
    examples = []
    for one in at[:SHOWN].tolist():
        name, offset = _name(messages, reads.message[one]), reads.offset[one]
        writer = messages.op(_sender(messages, int(reads.message[one])))
        reader = messages.op(int(reads.row[one]))
        text = f"{name} was not written (op {writer}), but polled at offset {offset} (op {reader})"
        examples.append(Anomaly(name="G1a", message=text, ops=(writer, reader)))
    return Found("G1a", len(at), examples)


def _lost(messages: Messages, versions: Versions, which: Mask, how_far: Extent) -> Found:
    """Acknowledged, and passed by: whoever read further, or to the end, did not see it."""
    at = np.flatnonzero(which)
    examples = []
    for message in at[:SHOWN].tolist():
        send, key = _send_of(messages, message), int(messages.home[message])
        what, row = how_far.told(messages, key)
        writer, reader = messages.op(int(messages.sends.row[send])), messages.op(row)
        offset = int(messages.sends.offset[send])
        where = f" at offset {offset}" if offset >= 0 else ""
        examples.append(
            Anomaly(
                name="lost-write",
                message=f"{messages.named(message)} was acknowledged{where} (op {writer}) and polled by"
                f" nobody, though {messages.keys[key]} was read to {what} (op {reader})",
                ops=(writer, reader),
                details={
                    "key": messages.keys[key],
                    "value": _plain(messages, message),
                    "log": around(messages, versions, {int(versions.last[message]): "lost"}),
                },
            )
        )
    return Found("lost-write", len(at), examples)


def _unseen(messages: Messages, versions: Versions, which: Mask) -> Found:
    """Acknowledged and polled by nobody, be it lost or only late."""
    at = np.flatnonzero(which)
    examples = []
    for message in at[:SHOWN].tolist():
        writer = messages.op(_sender(messages, message))
        text = f"{messages.named(message)} was acknowledged (op {writer}) and polled by nobody"
        details = {"log": around(messages, versions, {int(versions.last[message]): "lost"})}
        examples.append(Anomaly(name="unseen", message=text, ops=(writer,), details=details))
    return Found("unseen", len(at), examples)


def _inconsistent(messages: Messages, versions: Versions) -> Found:
    """One offset of a partition that holds two messages."""
    again = np.flatnonzero(versions.entry_rank[1:] == versions.entry_rank[:-1])
    examples = []
    for at in again[:SHOWN].tolist():
        rank = int(versions.entry_rank[at])
        one, other = (int(versions.entry_message[place]) for place in (at, at + 1))
        first, second = (_witness(messages, versions, rank, message) for message in (one, other))
        key, offset = messages.keys[int(versions.key[rank])], int(versions.offset[rank])
        examples.append(
            Anomaly(
                name="inconsistent-offsets",
                message=f"offset {offset} of {key} holds {_plain(messages, one)} (op {first}) and"
                f" {_plain(messages, other)} (op {second})",
                ops=(first, second),
                details={
                    "key": key,
                    "offset": offset,
                    "log": around(messages, versions, {rank: "conflicting"}),
                },
            )
        )
    return Found("inconsistent-offsets", len(again), examples)


def _duplicate(messages: Messages, versions: Versions) -> Found:
    """One message at two offsets."""
    twice = np.flatnonzero((versions.first >= 0) & (versions.first < versions.last))
    examples = []
    for message in twice[:SHOWN].tolist():
        ranks = (int(versions.first[message]), int(versions.last[message]))
        ops = tuple(_witness(messages, versions, rank, message) for rank in ranks)
        places = " and ".join(
            f"{versions.offset[rank]} (op {op})" for rank, op in zip(ranks, ops, strict=True)
        )
        text = f"{messages.named(message)} stands at offsets {places}"
        details = {"log": around(messages, versions, dict.fromkeys(ranks, "duplicated"), each_side=3)}
        examples.append(Anomaly(name="duplicate", message=text, ops=ops, details=details))
    return Found("duplicate", len(twice), examples)


def _own(messages: Messages) -> Found:
    """A transaction polled what it had not yet committed."""
    if "txn" not in messages.operations.fs:
        return Found("precommitted-read", 0, ())
    reads, sends = messages.reads, messages.sends
    txn = messages.operations.f == messages.operations.fs.index("txn")
    writer = np.full(len(messages.home), -1, dtype=np.int64)
    writer[sends.message] = sends.row
    at = np.flatnonzero(txn[reads.row] & (writer[reads.message] == reads.row))
    examples = [
        Anomaly(
            name="precommitted-read",
            message=f"{_name(messages, reads.message[one])} was polled by the transaction that sent it"
            f" (op {messages.op(int(reads.row[one]))})",
            ops=(messages.op(int(reads.row[one])),),
        )
        for one in at[:SHOWN].tolist()
    ]
    return Found("precommitted-read", len(at), examples)


def _gone(messages: Messages, versions: Versions, how_far: Extent) -> Found:
    """Polled once, and missing when the partition was read from before it to its end later on.

    A consumer sees nothing beyond the high watermark, so what one has seen stays.
    """
    reads, operations = messages.reads, messages.operations
    full = how_far.full[reads.key]
    good = (full >= 0) & (operations.outcome[reads.row] == OK)
    before = np.flatnonzero(
        good
        & (reads.offset >= how_far.begin[reads.key])
        & (operations.ret[reads.row] < operations.call[full])
    )
    again = np.flatnonzero(good & (reads.row == full))
    place = codes(reads.key, reads.offset)
    gone = before[~among(place[before], place[again])]
    gone = gone[np.unique(place[gone], return_index=True)[1]]
    examples = [_gone_one(messages, versions, one, how_far) for one in gone[:SHOWN].tolist()]
    return Found("read-then-gone", len(gone), examples)


def _gone_one(messages: Messages, versions: Versions, read: int, how_far: Extent) -> Anomaly:
    reads, key = messages.reads, int(messages.reads.key[read])
    first, later = messages.op(int(reads.row[read])), messages.op(int(how_far.full[key]))
    text = (
        f"{_name(messages, reads.message[read])} was polled at offset {reads.offset[read]} (op {first})"
    )
    message = f"{text}, and is not there any more in what was read up to {how_far.end[key]} (op {later})"
    details = {"log": around(messages, versions, {int(versions.of_read[read]): "lost"})}
    return Anomaly(name="read-then-gone", message=message, ops=(first, later), details=details)


def _witness(messages: Messages, versions: Versions, rank: int, message: int) -> int:
    """An operation that says that the message stands there: one that polled it, else its sender."""
    at = np.flatnonzero((versions.of_read == rank) & (messages.reads.message == message))
    if len(at):
        return messages.op(int(messages.reads.row[at[0]]))
    return messages.op(_sender(messages, message))


def _send_of(messages: Messages, message: int) -> int:
    return int(np.flatnonzero(messages.sends.message == message)[0])


def _sender(messages: Messages, message: int) -> int:
    return int(messages.sends.row[_send_of(messages, message)])


def _name(messages: Messages, message: np.int64) -> str:
    return messages.named(int(message))


def _plain(messages: Messages, message: int) -> object:
    value = messages.values[message]
    return int(value) if isinstance(value, np.integer) else value
