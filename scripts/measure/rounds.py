"""Short rounds of load, one Envoy after the other, over and over: what the machine does meanwhile hits all alike."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .envoy import BenchError, Envoy
from .wrk import Wrk

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
    # What its answers are; the others end the bench.
    answers: str = "2xx"
    # The listener that it goes to.
    listener: str = "gateway"
    # Another source address than that of the load tool.
    address: str | None = None

    def arguments(self, offset: int, stride: int) -> dict[str, object]:
        """Those of load.lua."""
        given = {"body": self.body, "address": self.address}
        fixed = {"file": self.file, "offset": offset, "stride": stride, "method": self.method, "path": self.path}
        return {**fixed, **{name: value for name, value in given.items() if value is not None}}


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
        before, cpu = self._answered(), self.envoy.cpu_us()
        _, said = self._run(seconds, 1 if self.load.in_order else STRIDE)
        cpu, after = self.envoy.cpu_us() - cpu, self._answered()
        answered, wanted = after[0] - before[0], after[1] - before[1]
        if answered != wanted:
            raise BenchError(f"`{self.name}`: {answered - wanted} of {answered} answers were no {self.load.answers}")
        per_s = said["requests"] / said["us"] * 1e6
        self.samples.append(Sample(cpu / answered, per_s, said["p50"], said["p99"]))

    def _answered(self) -> tuple[int, int]:
        return self.envoy.answered(self.load.answers, self.load.listener)

    def _run(self, seconds: int, stride: int) -> tuple[int, dict[str, float]]:
        threads = self.threads or self.envoy.workers
        arguments = self.load.arguments(self._offset, stride)
        connections = threads * CONNECTIONS_PER_THREAD
        with Wrk(self.envoy.ports[self.load.listener], arguments, connections, threads, seconds) as wrk:
            said = wrk.result()
        if said["refused"] and self.load.answers == "2xx":
            raise BenchError(f"`{self.name}`: refused answers: {said}\n{self.envoy.log_tail()}")
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
