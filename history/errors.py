"""What this package raises and warns of."""

from __future__ import annotations


class HistoryError(ValueError):
    """A history that cannot be read, recorded or paired; says which file, line or event, and why."""


class HistoryWarning(UserWarning):
    """A history that was read, but not all of it."""


class StoreError(Exception):
    """A run directory that cannot be made, written or read; says which path, and why."""
