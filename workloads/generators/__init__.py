"""Generators: what clients are to do, as pure values. See ``workloads.generators.core``.

Names are Jepsen's where Jepsen has one; ``any_of`` is its ``any``, ``concat`` its plain list.
"""

from workloads.generators.choice import (
    any_of,
    flip_flop,
    mix,
)
from workloads.generators.context import (
    Context,
    Thread,
    start_context,
)
from workloads.generators.core import (
    NOTHING,
    PENDING,
    Generator,
    Pending,
    Source,
    Step,
    concat,
    is_instruction,
    lift,
)
from workloads.generators.errors import (
    NS_PER_S,
    GeneratorError,
)
from workloads.generators.keys import (
    concurrent_keys,
    sequential_keys,
)
from workloads.generators.shape import (
    cycle,
    f_map,
    filter,
    limit,
    map,
    numbered,
    process_limit,
    repeat,
    until_ok,
)
from workloads.generators.threads import (
    clients,
    each_thread,
    nemesis,
    on_threads,
    phases,
    reserve,
    synchronize,
    then,
)
from workloads.generators.timing import (
    delay,
    log,
    sleep,
    stagger,
    time_limit,
)
from workloads.generators.validation import (
    checked,
    validate,
)

__all__ = [
    "NOTHING",
    "NS_PER_S",
    "PENDING",
    "Context",
    "Generator",
    "GeneratorError",
    "Pending",
    "Source",
    "Step",
    "Thread",
    "any_of",
    "checked",
    "clients",
    "concat",
    "concurrent_keys",
    "cycle",
    "delay",
    "each_thread",
    "f_map",
    "filter",
    "flip_flop",
    "is_instruction",
    "lift",
    "limit",
    "log",
    "map",
    "mix",
    "nemesis",
    "numbered",
    "on_threads",
    "phases",
    "process_limit",
    "repeat",
    "reserve",
    "sequential_keys",
    "sleep",
    "stagger",
    "start_context",
    "synchronize",
    "then",
    "time_limit",
    "until_ok",
    "validate",
]
