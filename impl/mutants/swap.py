"""A node program that is right but for one generator."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

from impl.host import Program
from impl.ids.generators import GENERATORS, OpenGenerator
from impl.ids.server import serve


def serve_with(kind: str, generator: OpenGenerator) -> Program:
    """The ID node, with ``generator`` in place of the right one for ``kind``."""
    generators = MappingProxyType({**GENERATORS, kind: generator})
    return partial(serve, generators=generators)
