from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nemesis.claims import NOTHING, STOPS, Claim, Clock, together

NODES = st.sampled_from(["n1", "n2", "n3"])
LINKS = st.tuples(NODES, NODES)
QUARTERS = st.integers(-8, 8).map(lambda number: number / 4)
CLAIMS = st.builds(
    Claim,
    down=st.dictionaries(NODES, st.sampled_from(STOPS)),
    paused=st.frozensets(NODES),
    cut=st.frozensets(LINKS),
    offset_s=st.dictionaries(NODES, QUARTERS),
    rate=st.dictionaries(NODES, st.sampled_from([0.5, 2.0])),
    delay_s=st.dictionaries(LINKS, st.tuples(QUARTERS, QUARTERS)),
    loss=st.dictionaries(LINKS, st.sampled_from([0.1, 0.2])),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(CLAIMS, max_size=4))
def test_the_order_of_claims_does_not_matter(claims: list[Claim]) -> None:
    assert together(claims) == together(claims[::-1])


def test_no_claims_want_nothing() -> None:
    assert together([]) == together([NOTHING, NOTHING])
    assert not any((together([]).down, together([]).cut, together([]).clocks))


def test_the_larger_delay_and_loss_of_a_link_hold() -> None:
    link = ("n1", "n2")
    claims = [Claim(loss={link: 0.5}, delay_s={link: (1.0, 0.0)}), Claim(loss={link: 0.2})]
    assert together([*claims, Claim(delay_s={link: (0.5, 0.5)})]).loss == {link: 0.5}
    assert together([*claims, Claim(delay_s={link: (0.5, 0.5)})]).delay_s == {link: (1.0, 0.0)}


def test_offsets_add_and_rates_multiply() -> None:
    claims = [
        Claim(offset_s={"n1": 2.0}, rate={"n1": 0.5}),
        Claim(offset_s={"n1": -3.0}, rate={"n1": 2.0}),
    ]
    assert together(claims).clocks == {"n1": Clock(-1.0, 1.0, drifting=True)}


def test_the_hardest_way_down_counts() -> None:
    claims = [
        Claim(down={"n1": "kill"}),
        Claim(down={"n1": "power_off"}),
        Claim(down={"n1": "terminate"}),
    ]
    assert together(claims).down == {"n1": "power_off"}


def test_only_a_node_that_was_told_to_end_can_be_paused_while_it_goes_down() -> None:
    paused = Claim(paused=frozenset({"n1", "n2"}))
    assert together([paused, Claim(down={"n1": "terminate", "n2": "kill"})]).paused == {"n1"}
