"""What goes wrong with a real cluster, as one sentence with the way out."""

from __future__ import annotations


class ClusterError(Exception):
    """The backend cannot be used on this machine, or a node of it cannot be brought up."""
