"""Kafka's protocol: frames, batches and messages, with the help of kio's entities.

kio teaches hypothesis its types wherever that is installed, which brings pytest and trio into every
broker: 19 MB of 51, and a quarter of the time to load. So kio is loaded here, once, without it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import cast

if "hypothesis" not in sys.modules:
    sys.modules["hypothesis"] = cast(ModuleType, None)  # so that importing it fails
    try:
        import_module("kio.static.primitive")
    finally:
        del sys.modules["hypothesis"]
