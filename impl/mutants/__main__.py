"""``python -m impl.mutants NAME CONFIG.json``: run one known-bad node on this machine."""

from __future__ import annotations

import sys

from impl.machine import main
from impl.mutants.registry import MUTANTS

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in MUTANTS:
        sys.exit(f"there is no mutant {name!r}; known are {', '.join(MUTANTS)}")
    sys.exit(main(MUTANTS[name].program, sys.argv[2:]))
