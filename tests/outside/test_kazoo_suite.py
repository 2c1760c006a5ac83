"""What the suite tells by name and in sums; the suite itself takes minutes: ``make kazoo-suite``."""

from __future__ import annotations

from tests.outside.kazoo_suite import NOT_THERE
from tests.outside.outcomes import Outcome, parse, told, unexpected

REPORT = """<testsuites><testsuite>
<testcase classname="lib.kazoo.tests.test_lock.TestLock" name="test_a"/>
<testcase classname="test_lock.TestLock" name="test_b"><failure message="no&#10; lock"/></testcase>
<testcase classname="test_sasl.TestSASL" name="test_c"><error message="no SASL"/></testcase>
<testcase classname="test_sasl.TestSASL" name="test_d"><skipped message="no Kerberos"/></testcase>
<testcase classname="test_lock.TestLock" name="test_e"/>
<testcase classname="test_lock.TestLock" name="test_e"><error message="teardown"/></testcase>
</testsuite></testsuites>"""

OUTCOMES = [
    Outcome("test_lock.TestLock.test_a", "passed"),
    Outcome("test_lock.TestLock.test_b", "failed", "no lock"),
    Outcome("test_sasl.TestSASL.test_c", "failed", "no SASL"),
    Outcome("test_sasl.TestSASL.test_d", "skipped", "no Kerberos"),
    Outcome("test_lock.TestLock.test_e", "failed", "teardown"),
]


def test_a_test_with_two_entries_counts_once_and_as_its_worst() -> None:
    assert parse(REPORT, "kazoo.tests") == OUTCOMES


def test_what_did_not_pass_is_told_by_name_and_the_sums_come_last() -> None:
    assert told(OUTCOMES) == [
        "failed: test_lock.TestLock.test_b: no lock",
        "failed: test_lock.TestLock.test_e: teardown",
        "failed: test_sasl.TestSASL.test_c: no SASL",
        "skipped: test_sasl.TestSASL.test_d: no Kerberos",
        "1 passed, 3 failed, 1 skipped",
    ]


def test_only_what_is_not_there_may_fail() -> None:
    assert unexpected(OUTCOMES, NOT_THERE) == ["test_lock.TestLock.test_b", "test_lock.TestLock.test_e"]
