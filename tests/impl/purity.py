"""What no module of ``impl`` may do, found in its syntax tree.

The simulator redirects what it can (``time.time``, ``os.urandom``); this finds what it cannot: names
bound before the redirection, state shared by all nodes of a process, order that depends on hashing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_CLOCKS_AND_CHANCE = ("time", "datetime", "uuid", "secrets")
_FILES_AND_SOCKETS = ("os", "io", "pathlib", "tempfile", "shutil", "socket", "select")
_THREADS = ("threading", "subprocess", "multiprocessing", "concurrent", "ctypes", "gc", "weakref")
_MODULES = frozenset((*_CLOCKS_AND_CHANCE, *_FILES_AND_SOCKETS, *_THREADS))
# Values, not ways out; ``datetime.now()`` and its like are found as calls.
_HARMLESS = frozenset(
    ("io.BytesIO", "uuid.UUID", "datetime.UTC", "datetime.datetime", "datetime.timedelta")
)
_CALLS = frozenset(("open", "id", "hash", "input", "exec", "eval", "__import__", "globals", "vars"))
_ATTRIBUTES = frozenset(
    ("to_thread", "run_in_executor", "urandom", "now", "utcnow", "today", "uuid1", "uuid4", "getpid")
)
_MUTABLE_TYPES = frozenset(
    ("list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "count")
)
_CACHES = frozenset(("cache", "lru_cache"))


def impurities(source: str) -> list[str]:
    """Sentences that begin with the line, one for each thing in ``source`` that is forbidden."""
    tree = ast.parse(source)
    found = [*_shared_state(tree.body)]
    for node in ast.walk(tree):
        found += _of_node(node)
    return [f"line {line}: {what}" for line, what in sorted(found)]


def _of_node(node: ast.AST) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield from _import(node.lineno, alias.name)
        case ast.ImportFrom(module=str(module), names=names):
            if not all(f"{module}.{alias.name}" in _HARMLESS for alias in names):
                yield from _import(node.lineno, module)
            if module == "random":
                yield node.lineno, "takes names out of random; use host.random"
            for alias in names:
                if alias.name in _CACHES:
                    yield node.lineno, f"{alias.name} is state shared by all nodes of a process"
        case ast.Call():
            yield from _call(node)
        case ast.For(iter=over) | ast.AsyncFor(iter=over) | ast.comprehension(iter=over):
            if _is_set(over):
                yield over.lineno, "goes through a set, whose order depends on hashing; sort it"
        case ast.Global(names=names):
            yield node.lineno, f"global {', '.join(names)} is state shared by all nodes of a process"
        case ast.ClassDef(body=body):
            yield from _shared_state(body)


def _import(line: int, module: str) -> Iterator[tuple[int, str]]:
    if module.split(".")[0] in _MODULES:
        yield line, f"imports {module}; ask the host instead"


def _call(call: ast.Call) -> Iterator[tuple[int, str]]:
    match call.func:
        case ast.Name(id=name) if name in _CALLS:
            yield call.lineno, f"calls {name}()"
        case ast.Attribute(value=ast.Name(id="random"), attr=name):
            if name != "Random" or not call.args:
                yield call.lineno, f"calls random.{name}; use host.random, or give Random a seed"
        case ast.Attribute(value=ast.Name(id="functools"), attr=name) if name in _CACHES:
            yield call.lineno, f"{name} is state shared by all nodes of a process"
        case ast.Attribute(attr=name) if name in _ATTRIBUTES:
            yield call.lineno, f"calls {name}()"


def _shared_state(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]):
                continue
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if _is_mutable(value):
                    yield statement.lineno, "is mutable and shared by all nodes of a process"


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _MUTABLE_TYPES
    return False


def _is_set(value: ast.expr) -> bool:
    match value:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
    return False
