"""What Jepsen's test does not look for: each anomaly in a small history, and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.queue.checker import queue
from tests.checkers.queue.script import P, Script, judged, names

G = {"group": "g"}


def good() -> Script:
    return Script().send(10, 0).send(11, 1).send(12, 2).poll([0, 10]).poll([1, 11], [2, 12])


def about(member: str, generation: int, at_ns: int) -> dict[str, Any]:
    return {"group": "g", "member": member, "generation": generation, "at_ns": at_ns}


class Group(Script):
    """Members of one group; ``at`` are times of their common clock."""

    def gets(self, process: int, *keys: str, member: str, gen: int, at: int) -> Group:
        self.done(process, "poll", [["assigned", list(keys), about(member, gen, at)]])
        return self

    def gives(self, process: int, *keys: str, member: str, gen: int, at: int) -> Group:
        self.done(process, "poll", [["revoked", list(keys), about(member, gen, at)]])
        return self

    def commits(
        self, process: int, offset: int, *, gen: int = 1, at: int = 0, type_: str = "ok"
    ) -> Group:
        value = [["commit", {P: offset}, {**G, "generation": gen, "from_ns": at, "until_ns": at + 1}]]
        self.done(process, "commit", value, type_)
        return self

    def reads(self, process: int, offset: int | None) -> Group:
        self.done(process, "committed", [["committed", {P: offset}, G]])
        return self


def rebalanced() -> Group:
    """``a`` has both partitions, then ``b`` takes one over."""
    group = Group()
    group.gets(1, P, "q", member="a", gen=1, at=10)
    group.gives(1, P, "q", member="a", gen=1, at=20)
    group.gets(1, "q", member="a", gen=2, at=30)
    group.gets(2, P, member="b", gen=2, at=31)
    return group


# The log, read to its end


def test_a_tail_that_nobody_finds_at_the_end_is_lost_and_not_only_unseen() -> None:
    assert names(judged(good().send(13, 3))) == ["unseen"]
    script = good().send(13, 3).drain(3, [0, 10], [1, 11], [2, 12])
    verdict = judged(script)
    assert names(verdict) == ["lost-write"]
    assert "was read to its end, 3" in verdict.anomalies[0].message


def test_a_whole_partition_that_is_gone_is_lost() -> None:
    script = Script().send(10, 0).drain(0).send(1, 0, "q").poll([0, 1], key="q")
    assert names(judged(script)) == ["lost-write"]


def test_what_was_acknowledged_after_the_reading_began_may_be_missing() -> None:
    script = good().call(9, "drain").send(13, 3)
    script.ret(9, [["position", {P: 0}], ["poll", {P: [[0, 10], [1, 11], [2, 12]]}], ["end", {P: 3}]])
    assert names(judged(script)) == ["unseen"]


def test_what_was_polled_and_is_missing_later_was_beyond_the_high_watermark() -> None:
    script = good().done(2, "send", [["send", P, 13]], "info").poll([3, 13])
    script.drain(3, [0, 10], [1, 11], [2, 12])
    verdict = judged(script)
    assert names(verdict) == ["read-then-gone"]
    assert verdict.anomalies[0].ops == (13, 15)


def test_what_was_polled_during_the_last_reading_may_have_come_after_it() -> None:
    script = good().done(2, "send", [["send", P, 13]], "info").call(9, "drain").poll([3, 13])
    script.ret(9, [["position", {P: 0}], ["poll", {P: [[0, 10], [1, 11], [2, 12]]}], ["end", {P: 3}]])
    assert judged(script).valid is True


def test_a_reading_that_begins_later_says_nothing_of_what_is_before() -> None:
    script = good().done(9, "drain", [["position", {P: 2}], ["poll", {P: [[2, 12]]}], ["end", {P: 3}]])
    assert judged(script).valid is True


def test_a_message_acknowledged_before_another_was_sent_stands_before_it() -> None:
    script = good().send(13, 4, process=0).send(14, 3, process=5).poll([3, 14], [4, 13])
    assert names(judged(script)) == ["send-inversion"]
    script = good().call(0, "send").send(14, 3, process=5).ret(0, [["send", P, [4, 13]]])
    assert judged(script.poll([3, 14], [4, 13])).valid is True


# Groups


def grouped(group: Script) -> list[str]:
    return names(judged(group, "groups"))


def test_a_partition_that_is_given_up_first_may_be_handed_over() -> None:
    assert grouped(rebalanced()) == []


def test_two_members_own_a_partition_in_one_generation() -> None:
    group = rebalanced().gets(3, P, member="c", gen=2, at=32)
    assert grouped(group) == ["double-ownership"]
    other = rebalanced().gets(3, P, member="c", gen=3, at=32)
    assert grouped(other) == []


def test_a_partition_is_handed_over_before_it_was_given_up() -> None:
    group = Group().gets(1, P, member="a", gen=1, at=10).gets(2, P, member="b", gen=2, at=15)
    group.gives(1, P, member="a", gen=1, at=20).gets(1, "q", member="a", gen=2, at=30)
    assert grouped(group) == ["handed-over-early"]


def test_a_member_that_was_expelled_may_go_on_believing() -> None:
    group = Group().gets(1, P, member="a", gen=1, at=10).gets(2, P, member="b", gen=2, at=15)
    group.gives(1, P, member="a", gen=1, at=20).gets(1, "q", member="a-again", gen=3, at=30)
    assert grouped(group) == []


def test_a_cooperative_member_keeps_what_it_does_not_give_up() -> None:
    group = Group().gets(1, P, "q", member="a", gen=1, at=10)
    group.gives(1, P, member="a", gen=2, at=20).gets(1, member="a", gen=3, at=30)
    group.gets(2, P, member="b", gen=3, at=31)
    assert grouped(group) == []
    assert grouped(group.gets(3, "q", member="c", gen=3, at=32)) == ["double-ownership"]


def test_a_commit_of_an_old_generation_is_accepted() -> None:
    assert grouped(rebalanced().commits(1, 5, gen=1, at=25)) == []
    assert grouped(rebalanced().commits(1, 5, gen=1, at=40)) == ["stale-commit"]
    assert grouped(rebalanced().commits(1, 5, gen=1, at=40, type_="fail")) == []
    assert grouped(rebalanced().commits(1, 5, gen=2, at=40)) == []


def test_a_poll_of_what_was_revoked() -> None:
    polled = rebalanced().send(10, 0).poll([0, 10], process=2)
    assert grouped(polled) == []
    assert grouped(polled.poll([0, 10], process=1)) == ["poll-outside-assignment"]


def test_within_an_assignment_every_message_is_polled_once_and_in_order() -> None:
    group = rebalanced().send(10, 0).send(11, 1).send(12, 2).poll([0, 10], process=2)
    assert names(judged(group)) == ["unseen"]
    assert names(judged(group.poll([2, 12], process=2))) == ["lost-write", "poll-skip"]


def test_a_rebalance_may_move_a_consumer_back_to_what_was_committed() -> None:
    group = rebalanced().send(10, 0).send(11, 1).poll([0, 10], [1, 11], process=2)
    group.gives(2, P, member="b", gen=2, at=40).gets(2, P, member="b", gen=3, at=41)
    assert judged(group.poll([0, 10], process=2)).valid is True


def test_after_a_rebalance_polling_begins_where_it_was_committed() -> None:
    group = Group().send(10, 0).send(11, 1).poll([0, 10], [1, 11], process=7)
    steps = [["assigned", [P], about("b", 2, 1)], ["position", {P: 0}], ["poll", {P: [[1, 11]]}]]
    assert names(judged(group.done(2, "poll", steps))) == ["int-poll-skip"]


# Committed offsets


def committed(group: Script) -> list[str]:
    return names(judged(group, "offsets"))


def test_what_was_committed_is_read_back() -> None:
    assert judged(good_group().commits(1, 2).commits(1, 3).reads(2, 3), "offsets").valid is True


def good_group() -> Group:
    group = Group()
    group.send(10, 0).send(11, 1).send(12, 2).poll([0, 10]).poll([1, 11], [2, 12])
    return group


@pytest.mark.parametrize("older", [2, None])
def test_committed_offsets_do_not_go_back(older: int | None) -> None:
    group = good_group().commits(1, 2).commits(1, 3).reads(2, older)
    assert committed(group) == ["committed-offset-went-back"]


def test_a_commit_that_nobody_knows_of_may_arrive_late() -> None:
    group = good_group().done(4, "commit", [["commit", {P: 2}, G]], "info")
    assert isinstance(group, Group)
    assert committed(group.commits(1, 3).reads(2, 2)) == []


def test_a_commit_that_was_refused_may_have_been_carried_out_before() -> None:
    refused = [["commit", {P: 2}, {**G, "type": "info"}]]
    group = good_group().done(4, "commit", refused, "fail")
    assert isinstance(group, Group)
    assert committed(group.commits(1, 3).reads(2, 2)) == []


def test_what_was_read_back_counts_from_when_it_was_read_and_not_when_it_was_told() -> None:
    def at(from_ns: int, until_ns: int) -> dict[str, Any]:
        return {**G, "from_ns": from_ns, "until_ns": until_ns}

    for read, found in ((5, []), (25, ["committed-offset-went-back"])):
        group = good_group().done(1, "commit", [["commit", {P: 2}, at(1, 2)]])
        group.done(1, "commit", [["commit", {P: 3}, at(10, 20)]])
        group.done(2, "poll", [["committed", {P: 2}, at(read, read + 1)]])
        assert names(judged(group, "offsets")) == found


def test_a_commit_that_is_still_under_way_may_not_be_seen_yet() -> None:
    group = good_group().commits(1, 2).call(1, "commit")
    assert isinstance(group, Group)
    group.reads(2, 2).ret(1, [["commit", {P: 3}, G]])
    assert committed(group) == []


def test_a_consumer_does_not_commit_less_than_before() -> None:
    assert committed(good_group().commits(1, 3).commits(1, 2).reads(2, 2)) == ["commit-went-back"]


def test_a_consumer_does_not_commit_less_than_where_it_began() -> None:
    group = good_group().commits(1, 3)
    group.done(1, "poll", [["assigned", [P], about("a", 2, 9)], ["position", {P: 3}]])
    assert committed(group.commits(1, 2).reads(2, 2)) == ["commit-went-back"]


def test_a_group_commits_only_what_it_has_polled() -> None:
    group = good_group().send(13, 3).drain(4, [0, 10], [1, 11], [2, 12], [3, 13])
    assert isinstance(group, Group)
    assert committed(group.commits(1, 3).reads(2, 3)) == []
    assert committed(group.commits(1, 4).reads(2, 4)) == ["unprocessed"]


def test_what_a_member_reads_besides_for_the_last_time_is_not_polled_as_a_member() -> None:
    group = good_group().send(13, 3).drain(4, [0, 10], [1, 11], [2, 12], [3, 13], process=1)
    assert isinstance(group, Group)
    assert committed(group.commits(1, 4).reads(2, 4)) == ["unprocessed"]
    group = rebalanced().send(10, 0)
    assert isinstance(group, Group)
    assert grouped(group.drain(1, [0, 10], process=1)) == []


# Keys and leaders


def test_messages_of_one_key_stay_in_one_partition() -> None:
    script = Script().done(0, "send", [["send", "p0", [0, 1]]], key="k")
    script.done(0, "send", [["send", "p0", [1, 2]]], key="k").poll([0, 1], [1, 2], key="p0")
    assert judged(script, "keys").valid is True
    script.done(0, "send", [["send", "p1", [0, 3]]], key="k").poll([0, 3], key="p1", process=2)
    assert names(judged(script, "keys")) == ["key-moved"]


def test_a_message_without_an_answer_is_where_it_was_polled() -> None:
    script = Script().done(0, "send", [["send", "p0", [0, 1]]], key="k")
    script.done(0, "send", [["send", "p0", [1, 2]]], key="k").poll([0, 1], [1, 2], key="p0")
    script.done(5, "send", [["send", None, 3]], "info", key="k").poll([0, 3], key="p1", process=2)
    assert names(judged(script, "keys")) == ["key-moved"]


def test_of_each_leader_epoch_there_is_one_leader() -> None:
    script = good().done(3, "leaders", [["leads", {P: 4}]], node="n1")
    script.done(3, "leaders", [["leads", {P: 5, "q": 4}]], node="n2")
    assert judged(script, "leaders").valid is True
    script.done(3, "leaders", [["leads", {"q": 4}]], node="n3")
    verdict = judged(script, "leaders")
    assert names(verdict) == ["two-leaders"]
    assert verdict.anomalies[0].message == "epoch 4 of q has n2 (op 13) and n3 (op 15)"


def test_a_part_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no part 'order'; it has groups, offsets, keys, leaders"):
        queue(also=("order",))
