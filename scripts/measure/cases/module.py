"""The module itself: its size, and how long it takes to load and configure."""

from __future__ import annotations

import json
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
    starts: dict[str, list[float]] = {name: [] for name in chains}
    for _ in range(max(bench.rounds, 5)):
        for name, chain in chains.items():
            times[name].append(_validate_ms(bench.files, chain))
            starts[name].append(bench.start(f"module {name}", chain).ready_ms)
            bench.stop_all()
    columns = ["", "kB", "load and configure, ms", "until Envoy is ready, ms", "over no filter"]
    table = Table("Module", columns)
    for name in chains:
        load = median(own - none for own, none in zip(times[name], times["no filter"]))
        ready = median(starts[name])
        size = f"{sizes[name].stat().st_size / 1000:.0f}" if name in sizes else "-"
        over = f"{ready - median(starts['no filter']):.0f}"
        table.rows.append([name, size, f"{load:.0f}", f"{ready:.0f}", over])
        if name == "hallpass":
            bench.report.targets += [
                Target("size of the module", sizes[name].stat().st_size / 1000, 450, " kB"),
                Target("load and configure", load, 150, " ms"),
            ]
    bench.report.tables.append(table)


def _validate_ms(files: Path, chain: list[Filter]) -> float:
    path = files / "validate.json"
    path.write_text(json.dumps(bootstrap(chain)))
    command = [*pinned(CORES), Envoy.binary, "--mode", "validate", "--config-path", str(path), "--log-level", "error"]
    started = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"a configuration is refused:\n{done.stderr}")
    return (time.monotonic() - started) * 1000
