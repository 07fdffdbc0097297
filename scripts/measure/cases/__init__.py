"""The cases, by name, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from ..bench import Bench
from . import flat, flood, module, soak, students, tokens, workers

ALL: dict[str, Callable[[Bench], None]] = {
    "warm": tokens.warm,
    "cold-rs256": tokens.cold_rs256,
    "cold-es256": tokens.cold_es256,
    "students": students.run,
    "clients": flat.clients,
    "keys": flat.keys,
    "schools": flat.schools,
    "workers": workers.run,
    "module": module.run,
    "flood": flood.run,
    "soak": soak.run,
}
# What scripts/soak runs.
NOT_BY_DEFAULT = ("flood", "soak")
