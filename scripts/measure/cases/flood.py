"""What a flood of refused requests costs, and what it costs those who send good ones meanwhile.

Whoever floods has a source address of its own, and its budget for failed credentials is soon used up. The same flood is
sent to an Envoy without that budget, so that every signature is checked, and to a listener without filters, since merely
taking requests and refusing them costs Envoy something as well: no filter can take that away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
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
# Two hundred times what the budget admits (600 a minute).
PER_S = 2_000
# With so many, waiting for answers hardly slows down a load that pauses.
PACED_CONNECTIONS = 64
LOST_MAX = 10


@dataclass
class Pace:
    """How fast requests come: so many a second, or 0: as fast as they are answered."""

    per_s: int = 0

    @property
    def connections(self) -> int:
        """As many as the load needs."""
        return PACED_CONNECTIONS if self.per_s else CONNECTIONS_PER_THREAD

    def arguments(self) -> dict[str, object]:
        """Those of load.lua."""
        return {"pause": 1000 * self.connections // self.per_s} if self.per_s else {}


@dataclass
class Flood:
    """Good requests to an Envoy while bad ones come too, if there are any."""

    name: str
    envoy: Envoy
    good: Load
    good_pace: Pace
    bad: Load | None = None
    bad_pace: Pace = field(default_factory=Pace)
    good_per_s: list[float] = field(default_factory=list)
    bad_per_s: list[float] = field(default_factory=list)

    def measure(self, seconds: int) -> None:
        """One round."""
        if self.bad is None:
            self._measure(seconds)
            return
        arguments = {**self.bad.arguments(0, 1), **self.bad_pace.arguments()}
        before = self._bad_answered()
        with Wrk(self.envoy.ports[self.bad.listener], arguments, self.bad_pace.connections) as wrk:
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
        arguments = {**self.good.arguments(0, STRIDE), **self.good_pace.arguments()}
        with Wrk(self.envoy.port, arguments, self.good_pace.connections, seconds=seconds) as wrk:
            said = wrk.result()
        if said["refused"]:
            raise BenchError(f"`{self.name}`: good requests were refused: {said}\n{self.envoy.log_tail()}")
        self.good_per_s.append(said["requests"] / said["us"] * 1e6)

    def _bad_answered(self) -> int:
        assert self.bad
        return self.envoy.answered("4xx", self.bad.listener)[1]


def run(bench: Bench) -> None:
    """First what refusals cost, one kind after the other; then good traffic beside them."""
    held, unheld = _envoy(bench, "budget", {}), _envoy(bench, "no budget", {"authentication_failures": "off"})
    good = Load(bench.minter.signed("RS256", WARM_TOKENS), WARM_TOKENS, PATH)
    for envoy in (held, unheld):
        check(envoy, good, HALLPASS)
    many = {alg: _bad(bench, alg, BAD_TOKENS) for alg in ("ES256", "RS256")}
    one = _bad(bench, "ES256", 1)
    plain = Load(one.file, 1, PATH, answers="4xx", listener="plain", address=ADDRESS)
    others = [(name, _envoy(bench, name, {}, module)) for name, module in bench.builds()[1:]]
    _costs(
        bench,
        [
            Row("Envoy alone: 404", held, plain),
            Row("budget used up: 429", held, many["ES256"]),
            *(Row(f"budget used up: 429, {name}", envoy, many["ES256"]) for name, envoy in others),
            Row("budget used up, one token over and over: 429", held, one),
            Row("no budget, one token over and over: 401", unheld, one),
            Row("no budget, ES256 checked: 401", unheld, many["ES256"]),
            Row("no budget, RS256 checked: 401", unheld, many["RS256"]),
            Row("a good token: 200", held, good),
        ],
    )
    alone = Flood("none", held, good, Pace())
    alone.measure(bench.seconds)
    half = Pace(int(alone.good_per_s.pop()) // 2)

    def group(good_pace: Pace, bad_pace: Pace) -> list[Flood]:
        return [
            Flood("none", held, good, good_pace),
            Flood("Envoy alone: 404", held, good, good_pace, plain, bad_pace),
            Flood("budget used up: 429", held, good, good_pace, many["ES256"], bad_pace),
            *(
                Flood(f"budget used up: 429, {name}", envoy, good, good_pace, many["ES256"], bad_pace)
                for name, envoy in others
            ),
            Flood("no budget, ES256 checked: 401", unheld, good, good_pace, many["ES256"], bad_pace),
        ]

    _throughput(bench, group(Pace(), Pace(PER_S)), group(half, Pace()), group(Pace(), Pace()))


def _costs(bench: Bench, rows: list[Row]) -> None:
    for row in rows[1:]:
        row.base = rows[0]
    bench.run(rows)
    columns = ["flood of", "CPU us/request", "over Envoy alone", f"{PER_S:,} a second take of a worker, %"]
    table = Table("Refusals: what one costs", columns)
    for row in rows:
        over = f"{row.added_us:.1f}" if row.base else "-"
        table.rows.append([row.name, f"{row.cpu_us:.1f}", over, f"{row.cpu_us * PER_S / 1e4:.1f}"])
    bench.report.tables.append(table)
    used_up, plain = rows[1], rows[0]
    text = f"{PER_S:,} a second with the budget used up: CPU of a worker"
    bench.report.targets += [
        Target(text, used_up.cpu_us * PER_S / 1e4, LOST_MAX, " %"),
        Target(f"{text}, beyond Envoy alone", (used_up.cpu_us - plain.cpu_us) * PER_S / 1e4, LOST_MAX, " %"),
    ]


def _throughput(bench: Bench, paced: list[Flood], half: list[Flood], unpaced: list[Flood]) -> None:
    for number in range(bench.rounds):
        say(f"  round {number + 1} of {bench.rounds}")
        for flood in (*paced, *half, *unpaced):
            flood.measure(bench.seconds)
    columns = ["flood of", "its requests/s", "good requests/s", "lost, %", "lost beyond Envoy alone, %"]
    titles = {
        f"Good traffic that fills a worker, a flood of {PER_S:,} a second": paced,
        "Good traffic that fills half a worker, a flood without pause": half,
        "Good traffic that fills a worker, a flood without pause from as many connections": unpaced,
    }
    for title, floods in titles.items():
        table = Table(title, columns)
        alone, plain, *_ = floods
        for flood in floods:
            lost = "-" if flood is alone else f"{flood.lost(alone):.1f}"
            beyond = "-" if flood in (alone, plain) else f"{flood.lost(plain):.1f}"
            bad = f"{median(flood.bad_per_s):.0f}" if flood.bad_per_s else "-"
            table.rows.append([flood.name, bad, f"{median(flood.good_per_s):.0f}", lost, beyond])
        bench.report.tables.append(table)
    bench.report.targets += [
        Target(f"{PER_S:,} a second, budget used up: good traffic lost", paced[2].lost(paced[0]), LOST_MAX, " %"),
        Target("half a worker, flood without pause, budget used up: lost", half[2].lost(half[0]), LOST_MAX, " %"),
        Target("flood without pause: lost beyond Envoy alone", unpaced[2].lost(unpaced[1]), LOST_MAX, " %"),
    ]


def _envoy(bench: Bench, name: str, more: dict[str, Any], module: Path | None = None) -> Envoy:
    config = filters.first_system({"jwks": {"inline": bench.minter.jwks()}}, **more)
    return bench.start(f"flood {name}", filters.guarded(module or bench.hallpass, config))


def _bad(bench: Bench, alg: str, count: int) -> Load:
    file = bench.minter.mismatched(alg, BAD_TOKENS, count)
    return Load(file, count, PATH, in_order=True, answers="4xx", address=ADDRESS)
