"""Short rounds of load, one Envoy after the other, over and over: what the machine does meanwhile hits all alike."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .envoy import BenchError, Envoy
from .machine import load_cores, pinned

SCRIPT = Path(__file__).with_name("load.lua")
# Prime, so that tokens do not come in the order in which the caches took them in.
STRIDE = 7919
CONNECTIONS_PER_THREAD = 16


@dataclass
class Load:
    """Requests that differ in their credentials only: a line of `file` each.

    With `in_order` they come in the order of the file, round after round: a cache that keeps the latest of them and not
    all has none of them when it comes again.
    """

    file: Path
    count: int
    path: str
    method: str = "GET"
    body: str | None = None
    in_order: bool = False


@dataclass
class Sample:
    """What one round says."""

    cpu_us: float
    per_s: float
    p50_us: float
    p99_us: float


@dataclass
class Row:
    """An Envoy under a load, and what it is compared with."""

    name: str
    envoy: Envoy
    load: Load
    base: Row | None = None
    # The load tool's threads; as many as the Envoy has workers if it is 0.
    threads: int = 0
    rss_mb: float = 0
    samples: list[Sample] = field(default_factory=list)
    _offset: int = 0

    @property
    def cpu_us(self) -> float:
        """CPU time per request."""
        return median(sample.cpu_us for sample in self.samples)

    @property
    def added_us(self) -> float:
        """CPU time per request over that of the base, round by round."""
        if self.base is None:
            return 0
        return median(own.cpu_us - base.cpu_us for own, base in zip(self.samples, self.base.samples))

    @property
    def per_s(self) -> float:
        """Throughput."""
        return median(sample.per_s for sample in self.samples)

    @property
    def p50_us(self) -> float:
        """Half of the answers came within this time."""
        return median(sample.p50_us for sample in self.samples)

    @property
    def p99_us(self) -> float:
        """99 of 100 answers came within this time."""
        return median(sample.p99_us for sample in self.samples)

    def warm_up(self, seconds: int) -> None:
        """Shows every token once, in order."""
        seen = 0
        while seen < self.load.count:
            seen += self._run(seconds, 1)[0]

    def measure(self, seconds: int) -> None:
        """One round."""
        before, cpu = self.envoy.answered(), self.envoy.cpu_us()
        _, said = self._run(seconds, 1 if self.load.in_order else STRIDE)
        cpu, after = self.envoy.cpu_us() - cpu, self.envoy.answered()
        answered, good = after[0] - before[0], after[1] - before[1]
        if answered != good:
            raise BenchError(f"`{self.name}`: {answered - good} of {answered} answers were no 200")
        per_s = said["requests"] / said["us"] * 1e6
        self.samples.append(Sample(cpu / answered, per_s, said["p50"], said["p99"]))

    def _run(self, seconds: int, stride: int) -> tuple[int, dict[str, float]]:
        threads = self.threads or self.envoy.workers
        load = self.load
        command = [
            *pinned(load_cores(threads)), "wrk", "--threads", str(threads), "--duration", f"{seconds}s",
            "--connections", str(threads * CONNECTIONS_PER_THREAD), "--script", str(SCRIPT),
            f"http://127.0.0.1:{self.envoy.port}", "--",
            str(load.file), str(self._offset), str(stride), load.method, load.path,
        ]  # fmt: skip
        if load.body is not None:
            command.append(load.body)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
            raise BenchError(f"`{self.name}`: wrk failed: {done.stderr or done.stdout}")
        said: dict[str, float] = json.loads(lines[-1])
        if said["refused"] or said["lost"] or not said["requests"]:
            raise BenchError(f"`{self.name}`: refused or lost answers: {said}\n{self.envoy.log_tail()}")
        self._offset += int(said["requests"]) * stride
        return int(said["requests"]), said


def run(rows: list[Row], rounds: int, seconds: int) -> None:
    """Warms all up, then measures them in turn."""
    warm: set[str] = set()
    for row in rows:
        # Without a filter there is nothing to get to know.
        if row.base is not None or row.envoy.name not in warm:
            row.warm_up(1)
        warm.add(row.envoy.name)
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
        for row in rows:
            row.measure(seconds)
    for row in rows:
        row.rss_mb = row.envoy.rss_mb()
