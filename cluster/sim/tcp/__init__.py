"""TCP as programs see it: a byte stream that survives loss by retransmission, until it gives up.

After RFC 9293 and RFC 6298, with what a test needs and no more: segments with go-back-N and a timer
that doubles (no SACK, no fast retransmit), cumulative acknowledgements that can get lost on their own,
a fixed window, SYN retries after 1, 3 and 7 s, half-close, RST. The kernel of a paused process goes on
acknowledging; a killed process resets its peers; a machine without power says nothing.

``connection`` is one end of a connection, ``sending`` its outgoing half, ``handshake`` how two ends come
together, ``listener`` a listening port. What an application can tell apart is tested row by row in
``tests/cluster/sim/test_tcp.py``.
"""
