"""A reader and a writer for EDN, Clojure's data notation (github.com/edn-format/edn).

=========== ======================================================================
EDN         Python
=========== ======================================================================
nil         None
true, false bool
1 -2 3N     int
1.5 2e3 3M  float
"text"      str
\\a \\newline ``Char``
:k :a/b     ``Keyword``
sym a/b     ``Symbol``
[1 2]       list
(1 2)       tuple
{:a 1}      dict; a collection as its key becomes hashable, lists as tuples
#{1 2}      frozenset
#tag form   ``Tagged``
#_ form     nothing, as with comments from ``;`` to the end of the line
=========== ======================================================================

``##Inf``, ``##-Inf`` and ``##NaN`` are floats too. Commas are white space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from history.errors import HistoryError


@dataclass(frozen=True, slots=True)
class Keyword:
    """``:name``; the name has no colon."""

    name: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """A bare name."""

    name: str


@dataclass(frozen=True, slots=True)
class Char:
    """One character."""

    text: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """``#tag form``."""

    tag: str
    form: Any


_TOKEN = re.compile(
    r"""
    (?P<gap>     [\s,]+ | ;[^\n]* )
  | (?P<text>    "(?:[^"\\]|\\.)*" )
  | (?P<opener>  \#?\{ | \[ | \( )
  | (?P<closer>  [\])}] )
  | (?P<discard> \#_ )
  | (?P<special> \#\#-?[A-Za-z]+ )
  | (?P<char>    \\(?:[A-Za-z][A-Za-z0-9]*|[^\s]) )
  | (?P<tag>     \#[A-Za-z][^\s,;"()\[\]{}\\]* )
  | (?P<atom>    [^\s,;"()\[\]{}\\#][^\s,;"()\[\]{}\\]* )
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(
    r"(?P<int>[+-]?\d+)N?|(?P<hex>0x[0-9a-fA-F]+)|(?P<float>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)M?",
    re.ASCII,
)
_KEYWORD = re.compile(r"[\w.*+!\-?$%&=<>:#|']+(?:/[\w.*+!\-?$%&=<>:#|']+)?|/")
_NOT_A_SYMBOL = re.compile(r"[+\-.]?\d|[:#]")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "'": "'"}
_CHARS = {
    "newline": "\n",
    "return": "\r",
    "space": " ",
    "tab": "\t",
    "backspace": "\b",
    "formfeed": "\f",
}
_WORDS = {"nil": None, "true": True, "false": False}
_ESCAPED = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})
_SPECIALS = {"##Inf": float("inf"), "##-Inf": float("-inf"), "##NaN": float("nan")}
_CLOSERS = {"[": "]", "(": ")", "{": "}", "#{": "}"}


@dataclass
class _Open:
    """A form whose end has not been read: a collection, a tag, or ``#_``."""

    opener: str
    line: int
    forms: list[Any]


def read_all(text: str) -> list[Any]:
    """Every form in ``text``, in order; HistoryError with the line and the reason if it is not EDN."""
    return [form for _, form in read_forms(text)]


def read_forms(text: str) -> Iterator[tuple[int, Any]]:
    """Every form with the number of the line on which it ends, as soon as it has been read."""
    stack: list[_Open] = []
    for kind, token, line in _tokens(text):
        if kind == "opener":
            stack.append(_Open(token, line, []))
            continue
        if kind in ("tag", "discard"):
            stack.append(_Open(token, line, []))
            continue
        form = _closed(stack, token, line) if kind == "closer" else _ATOMS[kind](token, line)
        yield from _placed(stack, form, line)
    if stack:
        raise HistoryError(f"line {stack[-1].line}: {stack[-1].opener} is never closed")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "a string that never ends" if text[at] == '"' else f"{text[at : at + 12]!r}"
            raise HistoryError(f"line {line}: {what} is not EDN")
        kind, token, at = match.lastgroup or "", match.group(), match.end()
        if kind != "gap":
            yield kind, token, line
        if kind in ("gap", "text"):
            line += token.count("\n")


def _closed(stack: list[_Open], closer: str, line: int) -> Any:
    if not stack:
        raise HistoryError(f"line {line}: {closer} closes nothing")
    collection = stack.pop()
    if _CLOSERS.get(collection.opener) != closer:
        raise HistoryError(
            f"line {line}: {closer} cannot close the {collection.opener} of line {collection.line}"
        )
    return _COLLECTIONS[collection.opener](collection.forms, line)


def _placed(stack: list[_Open], form: Any, line: int) -> Iterator[tuple[int, Any]]:
    """Put a finished form where it belongs: under its tag, away, into its collection, or out."""
    while stack and stack[-1].opener not in _CLOSERS:
        prefix = stack.pop().opener
        if prefix == "#_":
            return
        form = Tagged(prefix[1:], form)
    if stack:
        stack[-1].forms.append(form)
    else:
        yield line, form


def _map(forms: list[Any], line: int) -> dict[Any, Any]:
    if len(forms) % 2:
        raise HistoryError(f"line {line}: a map has a key without a value")
    entries = {hashable(key): value for key, value in zip(forms[::2], forms[1::2], strict=True)}
    if 2 * len(entries) != len(forms):
        raise HistoryError(f"line {line}: a map has the same key twice")
    return entries


def _set(forms: list[Any], line: int) -> frozenset[Any]:
    members = frozenset(map(hashable, forms))
    if len(members) != len(forms):
        raise HistoryError(f"line {line}: a set has the same member twice")
    return members


def hashable(form: Any) -> Any:
    """The form as something a map or a set can hold."""
    if isinstance(form, list | tuple):
        return tuple(map(hashable, form))
    if isinstance(form, dict):
        return frozenset((key, hashable(value)) for key, value in form.items())
    if isinstance(form, Tagged):
        return Tagged(form.tag, hashable(form.form))
    return form


_COLLECTIONS: dict[str, Callable[[list[Any], int], Any]] = {
    "[": lambda forms, line: forms,
    "(": lambda forms, line: tuple(forms),
    "{": _map,
    "#{": _set,
}


def _text(token: str, line: int) -> str:
    def unescaped(match: re.Match[str]) -> str:
        escape = match[1]
        if escape[0] == "u" and len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape[0] in "01234567":
            return chr(int(escape, 8))
        if escape not in _ESCAPES:
            raise HistoryError(f"line {line}: \\{escape} is not an escape")
        return _ESCAPES[escape]

    return _ESCAPE.sub(unescaped, token[1:-1]) if "\\" in token else token[1:-1]


def _char(token: str, line: int) -> Char:
    name = token[1:]
    if len(name) == 1:
        return Char(name)
    if name in _CHARS:
        return Char(_CHARS[name])
    if re.fullmatch("u[0-9a-fA-F]{4}", name):
        return Char(chr(int(name[1:], 16)))
    raise HistoryError(f"line {line}: {token} is not a character")


def _special(token: str, line: int) -> float:
    if token not in _SPECIALS:
        raise HistoryError(f"line {line}: {token} is not a number")
    return _SPECIALS[token]


def _atom(token: str, line: int) -> Any:
    if token in _WORDS:
        return _WORDS[token]
    if token[0] == ":" and _KEYWORD.fullmatch(token, 1):
        return Keyword(token[1:])
    number = _NUMBER.fullmatch(token)
    if number is not None:
        return _number(number, line)
    if _KEYWORD.fullmatch(token) and not _NOT_A_SYMBOL.match(token):
        return Symbol(token)
    raise HistoryError(f"line {line}: {token!r} is not EDN")


def _number(match: re.Match[str], line: int) -> int | float:
    """Hexadecimal is not EDN either, but stands in every ``#object`` that Clojure prints."""
    if match["float"]:
        return float(match["float"])
    try:
        return int(match["int"] or match["hex"], 10 if match["int"] else 16)
    except ValueError as error:
        raise HistoryError(f"line {line}: {error}") from None


_ATOMS: dict[str, Callable[[str, int], Any]] = {
    "text": _text,
    "char": _char,
    "special": _special,
    "atom": _atom,
}


def write(form: Any) -> str:
    """The form as EDN on one line: what reading it gives back; HistoryError for what EDN lacks."""
    if isinstance(form, list | tuple):
        opener, closer = "[]" if isinstance(form, list) else "()"
        return opener + " ".join(map(write, form)) + closer
    if isinstance(form, dict):
        return "{" + ", ".join(f"{write(key)} {write(value)}" for key, value in form.items()) + "}"
    if isinstance(form, set | frozenset):
        return "#{" + " ".join(sorted(map(write, form))) + "}"
    if isinstance(form, Tagged):
        return f"#{form.tag} {write(form.form)}"
    return _written_atom(form)


def _written_atom(form: Any) -> str:
    if form is None:
        return "nil"
    if isinstance(form, bool):
        return "true" if form else "false"
    if isinstance(form, str):
        return f'"{form.translate(_ESCAPED)}"'
    if isinstance(form, int):
        return str(form)
    if isinstance(form, float):
        return _written_float(form)
    if isinstance(form, Keyword):
        return f":{form.name}"
    if isinstance(form, Symbol):
        return form.name
    if isinstance(form, Char):
        return _written_char(form.text)
    raise HistoryError(f"EDN has no {type(form).__name__}")


def _written_float(number: float) -> str:
    return next((word for word, value in _SPECIALS.items() if value == number), None) or (
        "##NaN" if number != number else repr(number)
    )


def _written_char(text: str) -> str:
    name = next((name for name, char in _CHARS.items() if char == text), None)
    return f"\\{name or (text if text.isprintable() else f'u{ord(text):04x}')}"


def is_name(text: str) -> bool:
    """Whether ``text`` can be the name of a keyword."""
    return _KEYWORD.fullmatch(text) is not None
