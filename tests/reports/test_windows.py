from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.windows import kept_rows

CALL = np.arange(1000, dtype=np.int64) * 10
END = CALL + 5


def test_everything_is_kept_when_it_fits() -> None:
    rows, spans = kept_rows(CALL, END, [50], 1000)
    assert len(rows) == 1000
    assert spans == ((0, 9995),)


def test_the_windows_lie_around_the_moments() -> None:
    rows, spans = kept_rows(CALL, END, [2_000, 8_000], 100)
    assert 80 <= len(rows) <= 100
    assert len(spans) == 2
    assert all(
        start <= moment <= stop for (start, stop), moment in zip(spans, (2_000, 8_000), strict=True)
    )


def test_windows_that_touch_become_one() -> None:
    _, spans = kept_rows(CALL, END, [2_000, 2_010], 100)
    assert len(spans) == 1


def test_without_moments_the_beginning_is_kept() -> None:
    rows, _ = kept_rows(CALL, END, [], 50)
    assert rows[0] == 0
    assert len(rows) <= 50


@settings(derandomize=True, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 300)), min_size=1, max_size=60),
    st.lists(st.integers(0, 6000), max_size=5),
    st.integers(1, 60),
)
def test_never_more_than_was_asked_for_and_only_what_touches_a_span(
    operations: list[tuple[int, int]], moments: list[int], most: int
) -> None:
    operations.sort()
    call = np.array([start for start, _ in operations])
    end = call + np.array([took for _, took in operations])
    rows, spans = kept_rows(call, end, moments, most)
    assert len(rows) <= max(most, 0)
    for row in rows.tolist():
        assert any(call[row] <= stop and end[row] >= start for start, stop in spans)
