import pytest

from checkers.autoincrement import autoincrement
from tests.checkers.ids_history import Script

check = autoincrement("next")
OPTIONS = {"offsets": {"n1": 1, "n2": 2}, "steps": {"n1": 2, "n2": 2}}


def test_offsets_and_steps_that_fit_are_valid_gaps_or_not() -> None:
    script = Script().next([1, 3], "n1").next([2, 4], "n2").next([101], "n1")
    assert check(script.history(), OPTIONS).valid is True


@pytest.mark.parametrize("wrong", [4, -1, 0])
def test_an_id_of_another_offset_is_invalid(wrong: int) -> None:
    verdict = check(Script().next([1], "n1").next([3, wrong], "n1").history(), OPTIONS)
    assert verdict.valid is False
    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.ops) == ("wrong-offset", (3,))
    assert anomaly.message == f"n1 gave {wrong} (op 3), which is not 1 plus a multiple of 2"


def test_without_an_id_nothing_is_known() -> None:
    assert check(Script().history(), OPTIONS).valid == "unknown"


def test_a_node_that_the_options_do_not_name_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="'offsets' does not name node 'n3'"):
        check(Script().next([1], "n3").history(), OPTIONS)
