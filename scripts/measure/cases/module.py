"""The module itself: its size, and how long it takes to load and configure."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from pathlib import Path
from statistics import median

from .. import filters
from ..bench import Bench
from ..bootstrap import Filter, bootstrap
from ..envoy import BenchError, Envoy
from ..machine import CORES, pinned
from ..report import Table, Target


def run(bench: Bench) -> None:
    """`envoy --mode validate` compiles the module and configures it once: the difference to no filter is its time."""
    config = filters.first_system({"jwks": {"inline": bench.minter.jwks()}})
    chains = {"no filter": [], "a filter that does nothing": filters.noop(bench.noop)}
    chains |= {name: filters.hallpass(path, config) for name, path in bench.builds()}
    sizes = {"a filter that does nothing": bench.noop, **dict(bench.builds())}
    times: dict[str, list[float]] = {name: [] for name in chains}
    cpu: dict[str, list[float]] = {name: [] for name in chains}
    starts: dict[str, list[float]] = {name: [] for name in chains}
    for _ in range(bench.rounds):
        for name, chain in chains.items():
            wall_ms, cpu_ms = _validate_ms(bench.files, chain)
            times[name].append(wall_ms)
            cpu[name].append(cpu_ms)
            starts[name].append(bench.start(f"module {name}", chain).ready_ms)
            bench.stop_all()
    columns = ["", "kB", "load and configure, ms", "CPU, ms", "until Envoy is ready, ms", "over no filter"]
    table = Table("Module", columns)
    for name in chains:
        load, load_cpu = (_over(measured[name], measured["no filter"]) for measured in (times, cpu))
        ready = median(starts[name])
        size = f"{sizes[name].stat().st_size / 1000:.0f}" if name in sizes else "-"
        over = f"{ready - median(starts['no filter']):.0f}"
        table.rows.append([name, size, f"{load:.0f}", f"{load_cpu:.0f}", f"{ready:.0f}", over])
        if name == "hallpass":
            bench.report.targets += [
                Target("size of the module", sizes[name].stat().st_size / 1000, 450, " kB"),
                Target("load and configure", load, 150, " ms"),
            ]
    bench.report.tables.append(table)


def _over(own: list[float], none: list[float]) -> float:
    return median(mine - theirs for mine, theirs in zip(own, none))


def _validate_ms(files: Path, chain: list[Filter]) -> tuple[float, float]:
    """Time on the clock, which other work on the machine stretches, and CPU time of all threads."""
    path = files / "validate.json"
    path.write_text(json.dumps(bootstrap(chain)))
    command = [*pinned(CORES), Envoy.binary, "--mode", "validate", "--config-path", str(path), "--log-level", "error"]
    started, used = time.monotonic(), _children_s()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"a configuration is refused:\n{done.stderr}")
    return (time.monotonic() - started) * 1000, (_children_s() - used) * 1000


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
