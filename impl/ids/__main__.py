"""``python -m impl.ids CONFIG.json``: run one ID node on this machine until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

from impl.ids.server import serve
from impl.machine import main

if __name__ == "__main__":
    sys.exit(main(serve, sys.argv[1:]))
