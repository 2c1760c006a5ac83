"""What each anomaly breaks, in a sentence for somebody who does not know its name.

The names are the checkers'. A rule says what holds in every correct run; what contradicts it in this one
is the anomaly's own message.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RULES: Mapping[str, str] = MappingProxyType(
    {
        # IDs
        "duplicated": "What was given out once is never given out again.",
        "non-monotonic": "An ID that is asked for later at the same node is greater.",
        "order-beyond-skew": "IDs of different nodes follow real time, but for their clocks' skew.",
        "timestamp-off-clock": "The time in an ID is the time at which its node made it.",
        "wrong-node-id": "The node id in an ID is that of the node that made it.",
        "wrong-offset": "An ID is its node's offset plus a multiple of its step.",
        # One object, in real time
        "nonlinearizable": "Each operation takes effect at one moment between its call and its return.",
        "nonlinearizable-write": "A change that was called after another had returned comes after it.",
        "stale-read": "A read after a sync sees what was acknowledged before the sync.",
        "stale-state": "An answer shows the state whose zxid it names, with all changes up to it.",
        "future-read": "A read sees nothing that was written after it.",
        "phantom-read": "What is read was written by somebody.",
        "phantom-view": "What is seen was set by somebody.",
        "G1a": "What was refused is never seen by anybody.",
        "lost-update": "A change that was acknowledged is in every later state.",
        "misplaced-write": "A change stands at the zxid that its writer was told.",
        "duplicate-zxid": "Each change has a zxid of its own.",
        "duplicate-version": "Each change makes a version of its own.",
        "replicas-differ": "Servers that have applied the same changes hold the same state.",
        # Sessions, watches and znodes
        "zxid-went-back": "A session sees no older state than it has seen, on any server.",
        "fifo-violation": "Changes of one session are made in the order in which it sent them.",
        "own-write-missed": "A session sees what it wrote itself.",
        "nonmonotonic-read": "A session that saw a version of a znode sees no older one afterwards.",
        "lost-event": "Whoever watches is told of the change.",
        "event-after-data": "Whoever watches is told of a change before it can read the new data.",
        "event-without-cause": "An event tells of a change that has happened.",
        "children-told": "A recursive watch tells of each child, not that children changed.",
        "event-after-removal": "A watch that was removed tells of nothing.",
        "watch-gone": "A watch that stays is there until it is removed.",
        "event-twice": "A watch that fires once tells of one change once.",
        "ephemeral-outlived": "An ephemeral znode goes with its session.",
        "ephemeral-gone-early": "An ephemeral znode stays as long as its session is alive.",
        "ephemeral-came-back": "An ephemeral znode that has gone stays away.",
        "session-half-gone": "All ephemeral znodes of a session go at the same moment.",
        "sequence-order": "The znode that was made later has the greater suffix.",
        "nonlinearizable-create": "A znode asked for after another was there has the greater suffix.",
        "lost-create": "A znode that was acknowledged is there until somebody deletes it.",
        "vanished": "A znode that was there stays until somebody deletes it.",
        "half-applied": "A multi is applied as a whole, or not at all.",
        # Leaders, locks, members
        "two-leaders": "One epoch has one leader, and one client at a time believes to lead.",
        "two-holders": "No two believe at the same time that they hold the lock.",
        "token-reused": "Each tenure has a token of its own.",
        "token-went-back": "The later tenure has the greater token.",
        "stale-access": "A guarded resource refuses every token that is less than one it has seen.",
        "epoch-went-back": "A server that has led an epoch never leads an older one.",
        "commit-outside-epoch": "A change called after a newer leader was seen is of its epoch.",
        "leader-goes-on": "A leader that has lost its quorum stops saying that it leads.",
        "herd": "In a chain the going of one wakes only the one behind it.",
        "live-member-missing": "In the end everybody who is alive stands in every view.",
        "dead-member": "Who is dead is gone from the views once its session must have expired.",
        "member-forgotten": "A member stays in a view until it goes.",
        "view-went-back": "A client's view never becomes older.",
        "views-disagree": "Views of the same version are the same.",
        "views-differ": "In the end, when nothing changes any more, all views are the same.",
        # The queue
        "lost-write": "A message that was acknowledged can be read.",
        "unseen": "A message that was acknowledged is read by whoever reads its partition to the end.",
        "inconsistent-offsets": "An offset of a partition holds one message, always, for everybody.",
        "duplicate": "An idempotent producer's message stands in the log once.",
        "precommitted-read": "Nobody reads the messages of a transaction before it is committed.",
        "read-then-gone": "What was read once is still there when its partition is read again.",
        "G0": "Writes of two transactions do not overtake each other.",
        "G1c": "What transactions wrote and read has an order without a circle.",
        "poll-skip": "A consumer reads on right behind the last message it has read.",
        "nonmonotonic-poll": "A consumer does not read again what it has read.",
        "int-poll-skip": "The messages of one poll follow each other without a gap.",
        "int-nonmonotonic-poll": "The messages of one poll stand in the order of the log.",
        "nonmonotonic-send": "Messages of a producer stand in the log in the order of sending.",
        "int-nonmonotonic-send": "Messages sent one after the other stand in the log in this order.",
        "send-inversion": "A message stands behind every one that was acknowledged when it was sent.",
        "int-send-skip": "Between the messages of a transaction stand none of others.",
        "double-ownership": "In one generation of a group a partition has one owner.",
        "handed-over-early": "A partition is handed over after its owner has given it up.",
        "stale-commit": "A commit of an old generation is refused.",
        "poll-outside-assignment": "A member of a group reads only what it was assigned.",
        "committed-offset-went-back": "An offset whose commit was acknowledged is not forgotten.",
        "commit-went-back": "A consumer commits no less than it has committed before.",
        "unprocessed": "What lies below a group's committed offset was given to one of its members.",
        "key-moved": "Messages with one key stand in one partition.",
        # Every workload
        "no-progress": "Once all faults are healed, operations succeed again.",
    }
)
"""By the name of an anomaly, what it breaks."""
