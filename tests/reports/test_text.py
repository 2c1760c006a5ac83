from __future__ import annotations

from reports.text import brief, duration, safe, shown


def test_marks_that_turn_text_round_are_shown_by_their_number() -> None:
    assert safe("a\u202eb\u2066c\u200fd") == "a\\u202eb\\u2066c\\u200fd"


def test_control_characters_are_shown_by_their_number() -> None:
    assert shown("a\x00b") == '"a\\u0000b"'
    assert safe("a\x00b\x7f\x9b") == "a\\u0000b\\u007f\\u009b"


def test_a_lone_surrogate_can_be_written() -> None:
    assert safe("a\ud800").encode() == b"a\\ud800"


def test_letters_of_all_scripts_stay_as_they_are() -> None:
    assert safe("Größe שלום 時間") == "Größe שלום 時間"


def test_a_text_of_a_megabyte_is_cut_and_says_how_long_it_was() -> None:
    text = shown("x" * 1_000_000)
    assert len(text) < 2_100
    assert text.endswith("… (1,000,002 characters)")


def test_integers_keep_all_their_digits() -> None:
    assert shown([2006515732413689865]) == "[2006515732413689865]"


def test_what_is_no_json_is_shown_by_its_repr() -> None:
    assert shown({1, 2}) == "{1, 2}"
    assert shown(2**70) == str(2**70)


def test_brief_keeps_to_its_limit() -> None:
    assert brief("x" * 100, 10) == "x" * 9 + "…"
    assert brief("short", 10) == "short"


def test_durations_have_the_unit_that_fits() -> None:
    assert [duration(n) for n in (500, 1_500, 2_500_000, 900_000_000, 1.5e9, 7.2e12)] == [
        "500 ns", "1.5 µs", "2.5 ms", "900 ms", "1.5 s", "7,200 s",
    ]  # fmt: skip
