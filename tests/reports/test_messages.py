from __future__ import annotations

from reports.events import shown_ops
from reports.messages import MAX_SHOWN, Message, exchanges, messages
from reports.shapes import Curve, Text
from tests.reports.samples import history, row

LINES = [
    {
        "sent": 2_000_000,
        "arrived": 2_400_000,
        "from": "client",
        "to": "n1",
        "port": "http",
        "text": "GET",
    },
    {"sent": 1_500_000, "arrived": None, "from": "n1", "to": "n2", "port": "http", "text": "a\u202eb"},
    {
        "sent": 90_000_000,
        "arrived": 91_000_000,
        "from": "n1",
        "to": "n2",
        "port": "http",
        "text": "late",
    },
]


def one_op():
    events = history([row(0.001, 0, "invoke", "next"), row(0.003, 0, "ok", "next", [1], node="n1")])
    return shown_ops(events, [1])


def test_lines_become_messages_in_order_of_time_and_cannot_disguise_themselves() -> None:
    first, second, third = messages(LINES)
    assert (first.sent_ns, second.sent_ns, third.sent_ns) == (1_500_000, 2_000_000, 90_000_000)
    assert first.arrived_ns is None
    assert first.text == "a\\u202eb"


def test_what_is_no_message_is_passed_over() -> None:
    assert messages([{}, {"sent": "x"}, {**LINES[0], "arrived": "later"}]) == ()


def test_an_exchange_has_what_was_sent_while_the_operation_ran_and_nothing_else() -> None:
    (exchange,) = exchanges(one_op(), messages(LINES))
    assert [message.text for message in exchange.messages] == ["a\\u202eb", "GET"]
    assert (exchange.op, exchange.dropped, exchange.left_out) == (1, 1, 0)


def test_a_message_that_arrived_is_an_arrow_and_one_that_was_dropped_a_cross() -> None:
    (exchange,) = exchanges(one_op(), messages(LINES))
    packets = [
        shape for shape in exchange.figure.shapes if isinstance(shape, Curve) and "packet" in shape.style
    ]
    assert [packet.arrow for packet in packets] == [False, True]
    assert "dropped" in packets[0].told
    assert "client to n1 (http): GET, sent at 0.002 s, took 400 µs" in packets[1].told
    assert "×" in [shape.text for shape in exchange.figure.shapes if isinstance(shape, Text)]


def test_arrows_go_from_the_lane_of_the_sender_to_that_of_the_receiver_and_to_the_right() -> None:
    (exchange,) = exchanges(one_op(), messages(LINES))
    labels = {shape.text: shape.y for shape in exchange.figure.shapes if isinstance(shape, Text)}
    arrow = next(
        shape for shape in exchange.figure.shapes if isinstance(shape, Curve) and "GET" in shape.told
    )
    assert arrow.y1 == labels["client"] - 4
    assert arrow.y2 == labels["n1"] - 4
    assert arrow.x1 < arrow.x2


def test_of_many_messages_the_last_are_kept_and_the_rest_is_counted() -> None:
    sent = tuple(
        Message(
            sent_ns=1_000_000 + n, arrived_ns=2_000_000, source="n1", destination="n2", port="p", text=""
        )
        for n in range(MAX_SHOWN + 7)
    )
    (exchange,) = exchanges(one_op(), sent)
    assert len(exchange.messages) == MAX_SHOWN
    assert exchange.left_out == 7
    assert exchange.messages[-1] is sent[-1]


def test_an_operation_without_messages_has_no_exchange() -> None:
    assert exchanges(one_op(), messages(LINES[2:])) == ()
