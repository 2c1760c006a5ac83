"""What a broker loads, and what it leaves to those who ask for it."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import sys
import impl.queue.server
print(sorted({"hypothesis", "pytest", "kio"} & set(sys.modules)))
import hypothesis
print(hypothesis.__name__)
"""


def test_a_broker_loads_no_library_of_tests_and_hides_none_for_good() -> None:
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert said.stdout.split("\n")[:2] == ["['kio']", "hypothesis"]
