"""What must hold of a partitioned log that producers append to and consumers poll, as Kafka is.

The operations are those of ``jepsen.tests.kafka``. A value is a list of steps, in the order in which
the client took them; Jepsen's are

- ``["send", key, value]``: not yet, or nobody knows; ``["send", key, [offset, value]]``: acknowledged;
- ``["poll", {key: [[offset, value], ...], ...}]``.

A key is a partition, as text or a number; a value is written once to each key. The functions
``assign`` and ``subscribe`` have a list of keys as their value; the others may be called anything,
but only the sends of a ``txn`` stand and fall together. Further steps, none of which has to be there:

- ``["send", key, value, type]``: what became of this one message, where that differs from what the
  operation's own type says: ``ok``, ``fail`` or ``info``;
- ``["position", {key: offset, ...}]``: the next poll of the key begins there;
- ``["end", {key: offset, ...}]``: the key was read up to this offset, where its log ended;
- ``["assigned", [key, ...], about]`` and ``["revoked", [key, ...], about]``: a rebalance; ``about``
  holds ``group``, ``member``, ``generation`` and ``at_ns``, a time of the clock all clients share;
- ``["commit", {key: offset, ...}, about]``: offsets were committed, or with the ``type`` ``info`` in
  ``about`` perhaps; ``["committed", {key: offset or null, ...}, about]``: they were read back.
  ``about`` holds ``group``, ``generation`` for a commit, ``from_ns`` and ``until_ns``;
- ``["leads", {key: epoch, ...}]``: the operation's node says that it leads these partitions.
"""
