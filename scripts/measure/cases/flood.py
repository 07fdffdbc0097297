"""What a flood of refused requests costs, and what it costs those who send good ones meanwhile.

Whoever floods has a source address of its own, and its budget for failed credentials is soon used up. The same flood is
sent to an Envoy without that budget, so that every signature is checked, and to a listener without filters, since merely
taking requests and refusing them costs Envoy something as well: no filter can take that away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .. import filters
from ..bench import Bench, say
from ..checks import check
from ..envoy import BenchError, Envoy
from ..report import Table, Target
from ..rounds import CONNECTIONS_PER_THREAD, STRIDE, Load, Row
from ..wrk import Wrk
from .tokens import HALLPASS, PATH, WARM_TOKENS

# More than are remembered as bad (1,000), in a cycle: each has been forgotten when it comes again.
BAD_TOKENS = 3_000
ADDRESS = "2001:db8::1"
# A hundred times and more what the budget admits (600 a minute).
PER_S = 2_000
PACED_CONNECTIONS = 64
LOST_MAX = 10


@dataclass
class Flood:
    """Good requests to an Envoy while these come too; with `paced` at a fixed rate, else as fast as they are answered."""

    name: str
    envoy: Envoy
    good: Load
    bad: Load | None = None
    paced: bool = False
    good_per_s: list[float] = field(default_factory=list)
    bad_per_s: list[float] = field(default_factory=list)

    def measure(self, seconds: int) -> None:
        """One round."""
        if self.bad is None:
            self._measure(seconds)
            return
        connections = PACED_CONNECTIONS if self.paced else CONNECTIONS_PER_THREAD
        arguments = self.bad.arguments(0, 1)
        if self.paced:
            arguments["pause"] = 1000 * connections // PER_S
        before = self._bad_answered()
        with Wrk(self.envoy.ports[self.bad.listener], arguments, connections) as wrk:
            # By then it has used up its budget.
            while self._bad_answered() - before < PER_S:
                wrk.check_alive()
            self._measure(seconds)
            said = wrk.stop()
        if said["refused"] != said["requests"]:
            raise BenchError(f"`{self.name}`: not all of the flood was refused: {said}")
        self.bad_per_s.append(said["requests"] / said["us"] * 1e6)

    def lost(self, other: Flood) -> float:
        """Throughput of good requests that is lost against the other, per cent."""
        return 100 * median(1 - own / others for own, others in zip(self.good_per_s, other.good_per_s))

    def _measure(self, seconds: int) -> None:
        with Wrk(self.envoy.port, self.good.arguments(0, STRIDE), CONNECTIONS_PER_THREAD, seconds=seconds) as wrk:
            said = wrk.result()
        if said["refused"]:
            raise BenchError(f"`{self.name}`: good requests were refused: {said}\n{self.envoy.log_tail()}")
        self.good_per_s.append(said["requests"] / said["us"] * 1e6)

    def _bad_answered(self) -> int:
        assert self.bad
        return self.envoy.answered("4xx", self.bad.listener)[1]


def run(bench: Bench) -> None:
    """First what refusals cost, one kind after the other; then good traffic beside them."""
    held, unheld = _envoy(bench, "budget", {}), _envoy(bench, "no budget", {"failed_credentials": "off"})
    good = Load(bench.minter.signed("RS256", WARM_TOKENS), WARM_TOKENS, PATH)
    for envoy in (held, unheld):
        check(envoy, good, HALLPASS)
    many = {alg: _bad(bench, alg, BAD_TOKENS) for alg in ("ES256", "RS256")}
    one = _bad(bench, "ES256", 1)
    plain = Load(one.file, 1, PATH, answers="4xx", listener="plain")
    _costs(
        bench,
        [
            Row("Envoy alone: 404", held, plain),
            Row("budget used up: 429", held, many["ES256"]),
            Row("budget used up, one token over and over: 429", held, one),
            Row("no budget, one token over and over: 401", unheld, one),
            Row("no budget, ES256 checked: 401", unheld, many["ES256"]),
            Row("no budget, RS256 checked: 401", unheld, many["RS256"]),
            Row("a good token: 200", held, good),
        ],
    )
    floods = [Flood("none", held, good)]
    for paced in (True, False):
        floods += [
            Flood("Envoy alone: 404", held, good, plain, paced),
            Flood("budget used up: 429", held, good, many["ES256"], paced),
            Flood("no budget, ES256 checked: 401", unheld, good, many["ES256"], paced),
        ]
    _throughput(bench, floods)


def _costs(bench: Bench, rows: list[Row]) -> None:
    for row in rows[1:]:
        row.base = rows[0]
    bench.run(rows)
    columns = ["flood of", "CPU us/request", "over Envoy alone", "requests/s that take a tenth of a worker"]
    table = Table("Refusals: what one costs", columns)
    for row in rows:
        over = f"{row.added_us:.1f}" if row.base else "-"
        table.rows.append([row.name, f"{row.cpu_us:.1f}", over, f"{1e5 / row.cpu_us:.0f}"])
    bench.report.tables.append(table)


def _throughput(bench: Bench, floods: list[Flood]) -> None:
    for number in range(bench.rounds):
        say(f"  round {number + 1} of {bench.rounds}")
        for flood in floods:
            flood.measure(bench.seconds)
    alone, paced, unpaced = floods[0], floods[1:4], floods[4:]
    columns = ["flood of", "its requests/s", "good requests/s", "lost, %", "lost beyond Envoy alone, %"]
    table = Table(f"Good traffic beside a flood: {CONNECTIONS_PER_THREAD} connections, one worker", columns)
    table.rows.append([alone.name, "-", f"{median(alone.good_per_s):.0f}", "-", "-"])
    for group in (paced, unpaced):
        for flood in group:
            beyond = "-" if flood is group[0] else f"{flood.lost(group[0]):.1f}"
            cells = [f"{median(flood.bad_per_s):.0f}", f"{median(flood.good_per_s):.0f}", f"{flood.lost(alone):.1f}"]
            table.rows.append([flood.name, *cells, beyond])
    table.note = (
        f"First at {PER_S:,} a second, from {PACED_CONNECTIONS} connections; then as fast as they are answered, from as many "
        "connections as good requests have."
    )
    bench.report.tables.append(table)
    bench.report.targets += [
        Target(f"flood of {PER_S:,}/s, budget used up: good traffic lost", paced[1].lost(alone), LOST_MAX, " %"),
        Target("the same, beyond one that Envoy answers alone", paced[1].lost(paced[0]), LOST_MAX, " %"),
        Target("flood without pause, beyond one that Envoy answers alone", unpaced[1].lost(unpaced[0]), LOST_MAX, " %"),
    ]


def _envoy(bench: Bench, name: str, more: dict[str, Any]) -> Envoy:
    config = filters.first_system({"jwks": {"inline": bench.minter.jwks()}}, **more)
    return bench.start(f"flood {name}", filters.hallpass(bench.hallpass, config))


def _bad(bench: Bench, alg: str, count: int) -> Load:
    file = bench.minter.mismatched(alg, BAD_TOKENS, count)
    return Load(file, count, PATH, in_order=True, answers="4xx", address=ADDRESS)
