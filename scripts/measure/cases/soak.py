"""A long life: strangers send what never comes again, and memory must not add up.

Each kind has an Envoy of its own with the whole first system, and a load tool that reads tokens as they are signed. Memory
is read as requests go by. By design it grows until caches and tables are full (envoy/requests.md, "Limits"); it must not from then
on. With fewer requests more of them go before those that are counted, so that the same state is reached.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from .. import filters, tokens
from ..bench import Bench, say
from ..checks import ready
from ..envoy import BenchError, Envoy
from ..lists import JWKS_PATH, Lists
from ..report import Table, Target
from ..rounds import CONNECTIONS_PER_THREAD
from ..wrk import Wrk

PATH = f"{filters.FIRST_PATH}?school_id={tokens.school(0)}"
STEPS = 10
# The first of the requests that are counted may still fill something.
WARM_UP_SHARE = 0.3
GROWTH_MB_MAX = 2
COOLDOWN_S = 2
POLL_S = 0.1
# More than a worker lets wait.
MANY_CONNECTIONS = 1_100
# So many make nearly every slot full: 65,536 slots have room for fourteen clients each, 8,192 for 32 addresses each, and
# the caches for 10,000 tokens.
CLIENTS, ADDRESSES, TOKENS = 1_800_000, 300_000, 12_000


@dataclass
class Kind:
    """What is distinct, and how it must be answered."""

    name: str
    what: str
    alg: str
    # After so many requests everything is full.
    full_after: int
    connections: int = CONNECTIONS_PER_THREAD
    # By hallpass's own counts: the only ones that there may be.
    decisions: tuple[str, ...] = ("allow",)

    def before(self, requests: int) -> int:
        """Requests before those that are counted."""
        return max(0, self.full_after - round(requests * WARM_UP_SHARE))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("tokens", "valid tokens of 100 clients", "HS256", TOKENS),
        Kind("clients", "clients, each with a valid token", "HS256", CLIENTS),
        Kind(
            "kids", "unknown kids, each from another address", "ES256", ADDRESSES, MANY_CONNECTIONS,
            ("token-invalid", "keys-unavailable"),
        ),
        Kind(
            "signatures", "bad signatures, each from another address", "ES256", ADDRESSES,
            decisions=("token-invalid",),
        ),
    )
}  # fmt: skip


@dataclass
class Sample:
    """What was seen after so many requests."""

    answered: int
    rss_mb: float
    wasm_mb: float
    fetches: int


def run(bench: Bench) -> None:
    """All kinds, or those that were asked for."""
    samples = {}
    notes = []
    for kind in bench.kinds or list(KINDS):
        samples[kind], note = _kind(bench, KINDS[kind])
        say(f"  {note}")
        notes.append(note)
        bench.stop_all()
    columns = ["requests", *(f"{kind}: {what}" for kind in samples for what in ("resident MB", "wasm MB"))]
    table = Table(f"Soak: {bench.requests:,} of each kind", columns, note="\n".join(f"- {note}" for note in notes))
    for step in range(STEPS + 1):
        cells = [f"{bench.requests * step // STEPS:,}"]
        for seen in samples.values():
            cells += [f"{seen[step].rss_mb:.1f}", f"{seen[step].wasm_mb:.1f}"]
        table.rows.append(cells)
    bench.report.tables.append(table)


def _kind(bench: Bench, kind: Kind) -> tuple[list[Sample], str]:
    with Lists([], bench.minter.jwks()) as lists:
        envoy = bench.start(f"soak {kind.name}", filters.guarded(bench.hallpass, _config()), lists=lists.address)
        ready(envoy, "GET", PATH, _credentials(bench))
        earlier, rss_mb = _decisions(envoy), envoy.rss_mb()
        started = time.monotonic()
        samples = _samples(bench, kind, envoy, lists)
        elapsed = time.monotonic() - started
        decisions = _decisions(envoy) - earlier
        overflow = sum(envoy.stats("limit_overflow_total").values())
        lists.shutdown()
    if set(decisions) - set(kind.decisions):
        raise BenchError(f"soak of {kind.name}: answered with {decisions}\n{envoy.log_tail()}")
    warm = [sample.rss_mb for sample in samples[round(STEPS * WARM_UP_SHARE) :]]
    bench.report.targets += [
        Target(f"{kind.name}: growth after warm-up", max(warm) - warm[0], GROWTH_MB_MAX, " MB", binding=True),
        # The one at the start, and one as the requests begin.
        Target(f"{kind.name}: fetches of keys", samples[-1].fetches, 2 + elapsed // COOLDOWN_S, binding=True),
    ]
    before = kind.before(bench.requests)
    filled = f"{before:,} before the first that is counted; " if before else ""
    answers = ", ".join(f"{count:,} {decision}" for decision, count in sorted(decisions.items()))
    note = (
        f"`{kind.name}`: {kind.what} ({kind.alg}); {filled}{rss_mb:.1f} MB before any; {elapsed:.0f} s; {answers}; "
        f"{overflow:,} judged by an overflow budget; {samples[-1].fetches} fetches of keys"
    )
    return samples, note


def _samples(bench: Bench, kind: Kind, envoy: Envoy, lists: Lists) -> list[Sample]:
    samples = []
    base = envoy.answered()[0] + kind.before(bench.requests)
    with bench.minter.stream(kind.name, kind.alg, 0) as signer:
        arguments: dict[str, object] = {"file": "-", "method": "GET", "path": PATH}
        with Wrk(envoy.port, arguments, kind.connections, source=signer.stdout) as wrk:
            for step in range(STEPS + 1):
                while (answered := envoy.answered()[0] - base) < bench.requests * step // STEPS:
                    wrk.check_alive()
                    time.sleep(POLL_S)
                sample = Sample(answered, envoy.rss_mb(), envoy.wasm_mb(), lists.fetches[JWKS_PATH])
                say(f"  {sample}")
                samples.append(sample)
            wrk.stop()
        signer.kill()
    return samples


def _decisions(envoy: Envoy) -> Counter[str]:
    """By hallpass's own counts, which workers report every half second."""
    time.sleep(1)
    counts: Counter[str] = Counter()
    for name, count in envoy.stats("hallpass.requests_total").items():
        decision = name.split("decision=.=")[1].split(";")[0]
        counts[decision] += count
    return counts


def _credentials(bench: Bench) -> dict[str, str]:
    with bench.minter.signed("ES256", 1).open() as file:
        return {"Authorization": f"Bearer {file.readline().strip()}"}


def _config() -> dict[str, object]:
    remote = {"uri": f"https://auth.example.com{JWKS_PATH}", "cluster": "auth", "cooldown": f"{COOLDOWN_S}s"}
    config = filters.first_system({"jwks": {"remote": remote}})
    # Any process can sign under a secret in no time.
    under_secret = {key: value for key, value in config["issuers"][0].items() if key != "jwks"}
    secrets = [{"alg": "HS256", "text": tokens.SECRET, "kid": f"{tokens.KID}-HS256"}]
    config["issuers"].append({**under_secret, "issuer": tokens.SECRET_ISSUER, "secrets": secrets})
    for tier in config["tiers"].values():
        tier["limits"] = [*tier["limits"], {"name": "cost", "cost": filters.PLENTY, "per": "1m"}]
    return config
