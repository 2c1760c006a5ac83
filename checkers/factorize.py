"""Values of any kind as small numbers, so that deciders can work on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from history.history import hashable

SPARSENESS = 4


def factorize(values: Sequence[Any]) -> tuple[NDArray[np.int64], int]:
    """Number each distinct value: the numbers, and a bound that is above all of them.

    Equal values have one number; a bound may leave numbers unused. Integers are not looked at one by
    one; others are, and lists and maps among them are compared by content.
    """
    numbers = _integers(values)
    if numbers is not None:
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < SPARSENESS * len(numbers) + 1024:
            return numbers - low, high - low + 1
        distinct, inverse = np.unique(numbers, return_inverse=True)
        return inverse.astype(np.int64), len(distinct)
    codes: dict[Any, int] = {}
    try:
        listed = [codes.setdefault(value, len(codes)) for value in values]
    except TypeError:
        codes.clear()
        listed = [codes.setdefault(hashable(value), len(codes)) for value in values]
    return np.array(listed, dtype=np.int64), max(len(codes), 1)


def _integers(values: Sequence[Any]) -> NDArray[np.int64] | None:
    """``values`` as an array if all are integers that fit, else None."""
    if not values or type(values[0]) is not int or type(values[-1]) is not int:
        return None
    try:
        numbers = np.asarray(values)
    except (ValueError, OverflowError):
        return None
    return numbers if numbers.dtype == np.int64 and numbers.ndim == 1 else None
