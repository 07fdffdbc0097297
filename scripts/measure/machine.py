"""Where the bench runs: its cores and what they are."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))


def envoy_cores(workers: int) -> list[int] | None:
    """The cores of an Envoy with so many workers, none of them the load tool's; None where there are too few."""
    if workers == 1:
        return CORES[:1]
    return CORES[:workers] if len(CORES) >= 2 * workers else None


def load_cores(workers: int) -> list[int] | None:
    """The cores of the load tool beside such an Envoy; None where it must share."""
    if workers == 1:
        return CORES[1:2] or CORES
    return CORES[workers:] if len(CORES) >= 2 * workers else None


def pinned(cores: list[int] | None) -> list[str]:
    """The start of a command that runs there, and ends with this process at the latest."""
    command = ["setpriv", "--pdeathsig", "KILL"]
    return command if cores is None else [*command, "taskset", "--cpu-list", ",".join(map(str, cores))]


def description() -> str:
    """The processor and its cores."""
    return f"{_model()}, {len(CORES)} cores"


def busy() -> str:
    """What else runs, as the load average says."""
    return f"{os.getloadavg()[0]:.1f}"


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
