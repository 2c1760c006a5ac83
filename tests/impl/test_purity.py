from pathlib import Path

import pytest

import impl
from tests.impl.purity import impurities

ROOT = Path(impl.__file__).parent
REAL = (ROOT / "machine.py", ROOT / "quick_loop.py")
MODULES = sorted(path for path in ROOT.rglob("*.py") if path not in REAL)

BAD = [
    "import time\nx = time.time()",
    "from time import time",
    "from datetime import datetime\nx = datetime.now()",
    "import os",
    "from os import urandom",
    "import threading",
    "import uuid",
    "import secrets",
    "import random\nx = random.random()",
    "import random\nx = random.Random()",
    "from random import getrandbits",
    "def f():\n    return open('x')",
    "x = [id(o) for o in (1, 2)]",
    "x = hash('a')",
    "SEEN = {}",
    "SEEN: dict = dict()",
    "from collections import deque\nQUEUE = deque()",
    "import itertools\nNUMBERS = itertools.count()",
    "class Node:\n    peers = []",
    "from functools import lru_cache",
    "import functools\n@functools.lru_cache(None)\ndef f(): ...",
    "def f():\n    global n\n    n = 1",
    "def f():\n    for x in {'a', 'b'}: print(x)",
    "def f(xs):\n    return [x for x in set(xs)]",
    "async def f(loop):\n    await loop.run_in_executor(None, print)",
    "import asyncio\nasync def f():\n    await asyncio.to_thread(print)",
]
GOOD = [
    "def f(host):\n    return host.wall_clock_ns()",
    "import random\ndef f(source: random.Random):\n    return source.getrandbits(3)",
    "import random\nx = random.Random(1)",
    "def f(xs):\n    for x in sorted(set(xs)): print(x)",
    "from types import MappingProxyType\nKINDS = MappingProxyType({'a': 1})",
    "class Node:\n    __slots__ = ['a']\n    def __init__(self):\n        self.peers = []",
    "NAMES = ('a', 'b')",
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_implementation_reaches_its_machine_only_through_its_host(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize("source", BAD)
def test_the_lint_finds_what_would_escape_the_simulator(source: str) -> None:
    assert impurities(source)


@pytest.mark.parametrize("source", GOOD)
def test_the_lint_lets_harmless_code_pass(source: str) -> None:
    assert impurities(source) == []


def test_the_real_host_is_what_the_lint_is_for() -> None:
    assert impurities((ROOT / "machine.py").read_text())
