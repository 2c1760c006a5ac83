from checkers.progress import progress
from tests.checkers.ids_history import Script

check = progress("next")


def test_one_success_in_the_final_phase_is_enough() -> None:
    script = Script().invoke(0).event(0, "fail", "next").next([1])
    assert check(script.history(), {"final_index": 0}).valid is True


def test_none_in_the_final_phase_is_no_progress_with_the_last_tries_and_the_last_error() -> None:
    script = Script().next([1])
    for _ in range(4):
        script.invoke(0).event(0, "fail", "next", error="all refuse")
    verdict = check(script.history(), {"final_index": 2})
    assert verdict.valid is False
    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.ops) == ("no-progress", (5, 7, 9))
    assert anomaly.message.endswith(
        "tried 4 times after everything was healed and never succeeded; the last error was all refuse"
    )


def test_an_invocation_without_completion_is_no_progress() -> None:
    [anomaly] = check(Script().next([1]).invoke(0).history(), {"final_index": 2}).anomalies
    assert anomaly.ops == (2,)


def test_what_was_never_tried_is_unknown() -> None:
    verdict = check(Script().next([1]).history(), {"final_index": 2})
    assert (verdict.valid, verdict.reason) == ("unknown", "'next' was never tried in the final phase")


def test_a_run_without_a_final_phase_is_unknown() -> None:
    assert check(Script().next([1]).history(), {}).valid == "unknown"


def test_each_function_has_to_succeed() -> None:
    script = Script().next([1]).event(0, "invoke", "other").event(0, "fail", "other")
    verdict = progress("next", "other")(script.history(), {"final_index": 0})
    assert [anomaly.details["f"] for anomaly in verdict.anomalies] == ["other"]
