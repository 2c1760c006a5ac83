"""EDN: everything the notation has is read, what it has not is refused with its line."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history import edn
from history.edn import Char, Keyword, Symbol, Tagged
from history.errors import HistoryError


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("nil", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-17", -17),
        ("+17", 17),
        ("340282366920938463463374607431768211456N", 2**128),
        ("0x1f", 31),
        ("1.5", 1.5),
        ("1.", 1.0),
        ("-2e-3", -0.002),
        ("22M", 22.0),
        ("##Inf", math.inf),
        ("##-Inf", -math.inf),
        ('""', ""),
        (r'"a\"b\\c\n\t\r\u00e9\101"', 'a"b\\c\n\t\r\u00e9A'),
        ('"two\nlines; no comment"', "two\nlines; no comment"),
        (r"\a", Char("a")),
        (r"\newline", Char("\n")),
        (r"\u00e9", Char("\u00e9")),
        (r"\(", Char("(")),
        (":ok", Keyword("ok")),
        (":jepsen.history/op", Keyword("jepsen.history/op")),
        (":1", Keyword("1")),
        ("clojure.core/+", Symbol("clojure.core/+")),
        ("-", Symbol("-")),
        ("nilly", Symbol("nilly")),
        ("[]", []),
        ("[1 [2, 3]]", [1, [2, 3]]),
        ("(1 2)", (1, 2)),
        ("{:a 1, :b {}}", {Keyword("a"): 1, Keyword("b"): {}}),
        ("{[1 (2)] 3}", {(1, (2,)): 3}),
        ("#{1 [2]}", frozenset({1, (2,)})),
        ("#{{:a 1}}", frozenset({frozenset({(Keyword("a"), 1)})})),
        ("#jepsen.history.Op{:index 0}", Tagged("jepsen.history.Op", {Keyword("index"): 0})),
        ('#object[a.B 0xff "x"]', Tagged("object", [Symbol("a.B"), 255, "x"])),
        ("#a #b 1", Tagged("a", Tagged("b", 1))),
        ("; comment\n1 ; another", 1),
        ("[1 #_2 #_ [3 #_4] 5]", [1, 5]),
        ("[#_#_1 2 3]", [3]),
        ("[#_#tag 1 2]", [2]),
        ("{:process 22  :type :invoke}", {Keyword("process"): 22, Keyword("type"): Keyword("invoke")}),
    ],
)
def test_every_form_is_read(text: str, form: Any) -> None:
    assert edn.read_all(text) == [form]
    assert type(edn.read_all(text)[0]) is type(form)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n{:a", "line 2: { is never closed"),
        ("[1\n#_", "line 2: #_ is never closed"),
        ("\n\n]", "line 3: ] closes nothing"),
        ("[\n)", r"line 2: \) cannot close the \[ of line 1"),
        ("[#tag]", "line 1: ] cannot close the #tag of line 1"),
        ("{:a}", "line 1: a map has a key without a value"),
        ("{:a 1\n:a 2}", "line 2: a map has the same key twice"),
        ("#{1 1}", "line 1: a set has the same member twice"),
        ('1\n"a\nb', "line 2: a string that never ends"),
        ('"a\n" "\\q"', r"line 2: \\q is not an escape"),
        (r"\foo", r"line 1: \\foo is not a character"),
        ("##Foo", "line 1: ##Foo is not a number"),
        ("1a", "line 1: '1a' is not EDN"),
        (":", "line 1: ':' is not EDN"),
        ("#", "line 1: '#' is not EDN"),
        ("9" * 5000, "line 1: Exceeds the limit"),
    ],
)
def test_what_is_not_edn_is_refused_with_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(HistoryError, match=reason):
        edn.read_all(text)


def test_forms_come_with_the_line_on_which_they_end() -> None:
    assert list(edn.read_forms('1 "a\nb"\n; comment\n[2\n]')) == [(1, 1), (1, "a\nb"), (5, [2])]


def test_not_a_number_is_read_and_written() -> None:
    assert edn.write(edn.read_all("##NaN")[0]) == "##NaN"


def test_nesting_has_no_limit() -> None:
    assert edn.read_all("[" * 10_000 + "]" * 10_000) != []


def test_what_edn_lacks_is_not_written() -> None:
    with pytest.raises(HistoryError, match="EDN has no bytes"):
        edn.write(b"")


def test_sets_are_written_in_one_order() -> None:
    assert edn.write(frozenset({"b", "a", "c"})) == '#{"a" "b" "c"}'


names = st.from_regex(r"[a-z][a-z0-9*!?.-]{0,5}(/[a-z]{1,3})?", fullmatch=True)
atoms = st.one_of(
    st.none(),
    st.text(),
    st.integers(min_value=2),
    st.floats(allow_nan=False).filter(lambda number: not number.is_integer()),
    names.map(Keyword),
    names.filter(lambda name: name not in ("nil", "true", "false")).map(Symbol),
    st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp"], max_codepoint=0xFFFF).map(Char),
)
forms = st.recursive(
    st.booleans() | atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(atoms, inner, max_size=4),
        st.frozensets(atoms, max_size=4),
        st.builds(Tagged, names, inner),
    ),
    max_leaves=10,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(forms, max_size=3))
def test_what_is_written_is_read_back(several: list[Any]) -> None:
    assert edn.read_all("\n".join(map(edn.write, several))) == several


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(alphabet='[](){}#_";:\\ \nan1.,/u', max_size=12))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    try:
        several = edn.read_all(text)
    except HistoryError:
        return
    assert edn.read_all("\n".join(map(edn.write, several))) == several
