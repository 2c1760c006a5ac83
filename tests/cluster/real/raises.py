"""``python -m tests.cluster.real.raises BACKEND``: hurts a cluster, then fails without undoing it."""

from __future__ import annotations

import sys

from cluster.real.cluster import RealCluster
from tests.cluster.real.verbs import make


async def main(cluster: RealCluster) -> None:
    await cluster.start()
    await cluster.cut([("n1", "n2"), ("client", "n3")])
    await cluster.skew("n1", 60.0)
    await cluster.pause("n2")
    raise ZeroDivisionError("in the middle")


if __name__ == "__main__":
    made = make(sys.argv[1])
    made.run(lambda: main(made))
