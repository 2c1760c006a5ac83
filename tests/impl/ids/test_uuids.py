import asyncio
import random
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.ids.config import Config
from impl.ids.errors import Refused
from impl.ids.uuid4 import Uuid4, text, uuid4
from impl.ids.uuid7 import Uuid7, layout, open_uuid7, timestamp_ms
from tests.impl.hosts import NOON_MS, StillHost


@given(st.integers(0, 2**128 - 1))
@settings(derandomize=True)
def test_text_is_that_of_the_standard_library(number: int) -> None:
    assert text(number) == str(uuid.UUID(int=number))


def test_version_4_has_its_version_and_variant_and_122_random_bits() -> None:
    source = random.Random(3)
    made = [uuid.UUID(uuid4(source)) for _ in range(2000)]
    assert {one.version for one in made} == {4}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    ones = zeros = 0
    for one in made:
        ones |= one.int
        zeros |= ~one.int
    assert (ones & zeros).bit_count() == 122


def test_a_batch_of_version_4_has_no_two_alike() -> None:
    ids = asyncio.run(Uuid4(random.Random(3)).take(500))
    assert len(set(ids)) == 500


def test_version_7_lays_out_the_example_of_rfc_9562() -> None:
    # appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F
    number = uuid.UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f").int
    counter = (number >> 64 & 0xFFF) << 30 | number >> 32 & (1 << 30) - 1
    made = layout(0x017F22E279B0, counter, number & 0xFFFFFFFF)
    assert made == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    assert timestamp_ms(made) == 1645557742000


@given(st.lists(st.tuples(st.integers(-10_000, 10_000), st.integers(1, 50)), max_size=30))
@settings(derandomize=True)
def test_version_7_grows_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    now = [10**6]
    core = Uuid7(lambda: now[0] * 1_000_000, random.Random(1))
    made = []
    for step, count in steps:
        now[0] = max(now[0] + step, 0)
        made += core.take(count)
    assert made == sorted(set(made))
    assert all(uuid.UUID(one).version == 7 for one in made)


class FullCounter(random.Random):
    """Always the largest number: the counter begins as high as it may."""

    def getrandbits(self, k: int) -> int:
        return (1 << k) - 1


def test_version_7_borrows_the_next_millisecond_when_its_counter_is_full() -> None:
    core = Uuid7(lambda: 5_000_000, FullCounter())
    core.take(1)
    core._counter = (1 << 42) - 1
    last, borrowed = core.take(2)
    assert last < borrowed
    assert (timestamp_ms(last), timestamp_ms(borrowed)) == (5, 6)


@pytest.mark.parametrize("now_ns", [-1, (1 << 48) * 1_000_000])
def test_version_7_refuses_a_time_that_48_bits_do_not_hold(now_ns: int) -> None:
    with pytest.raises(Refused) as refused:
        Uuid7(lambda: now_ns, random.Random(1)).take(1)
    assert refused.value.code == "clock-out-of-range"


def test_version_7_grows_across_a_restart_with_the_clock_set_back(tmp_path: Path) -> None:
    async def twice() -> list[str]:
        host = StillHost(tmp_path)
        config = Config(kind="uuid7", reserve_ms=100)
        before = await (await open_uuid7(host, config)).take(3)
        host.now_ms -= 60_000
        return before + await (await open_uuid7(host, config)).take(3)

    made = asyncio.run(twice())
    assert made == sorted(set(made))
    assert timestamp_ms(made[0]) == NOON_MS
