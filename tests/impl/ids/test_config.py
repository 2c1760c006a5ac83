from typing import Any

import pytest

from impl.ids.config import EPOCH_MS, parse
from impl.ids.errors import ConfigError
from impl.ids.generators import GENERATORS

KINDS = tuple(GENERATORS)


def test_what_is_not_given_has_a_default() -> None:
    config = parse({"kind": "snowflake", "node_id": 5, "peers": {"n2": ["n2", 8080]}}, KINDS)
    assert (config.node_id, config.epoch_ms, config.port) == (5, EPOCH_MS, 8080)
    assert config.peers == {"n2": ("n2", 8080)}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "it must be an object"),
        ({}, "'kind' is None; known are uuid4"),
        ({"kind": "snowflak"}, "did you mean 'snowflake'"),
        ({"kind": "uuid4", "prot": 1}, "unknown key 'prot'; did you mean 'port'"),
        ({"kind": "uuid4", "port": "80"}, "'port' is '80'; it must be a whole number from 0"),
        ({"kind": "uuid4", "port": True}, "'port' is True"),
        ({"kind": "snowflake"}, "lacks 'node_id'"),
        ({"kind": "snowflake", "node_id": 1024}, "from 0 to 1023"),
        ({"kind": "autoincrement", "step": 3}, "lacks 'offset'"),
        ({"kind": "autoincrement", "offset": 4, "step": 3}, "offset must be 1 to the step"),
        ({"kind": "uuid4", "peers": ["n2"]}, "must map names to"),
        (
            {"kind": "uuid4", "peers": {"n2": "n2:80"}},
            r"peer 'n2' is 'n2:80'; .* \[host, port\]",
        ),
    ],
)
def test_a_mistake_is_named_with_the_way_out(raw: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(raw, KINDS)
