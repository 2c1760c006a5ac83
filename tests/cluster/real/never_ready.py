"""``python -m tests.cluster.real.never_ready BACKEND PROGRAM``: nodes that run ``PROGRAM`` instead."""

from __future__ import annotations

import sys
from dataclasses import replace

from cluster.real.errors import ClusterError
from tests.cluster.real.verbs import make

if __name__ == "__main__":
    made = make(sys.argv[1])
    made.system = replace(made.system, command=("python", "-uc", sys.argv[2]))
    made.ready_within_s = 2.0
    try:
        made.run(made.start)
    except ClusterError as error:
        print(error)
