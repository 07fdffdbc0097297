"""The first system: tokens that are known, and tokens that are all new."""

from __future__ import annotations

import time
from typing import Any

from .. import filters, tokens
from ..bench import Bench
from ..checks import Wanted, check
from ..envoy import BenchError, Envoy
from ..report import Target, comparison
from ..rounds import Load, Row

PATH = f"{filters.FIRST_PATH}?school_id={tokens.school(0)}"
CACHED, UNCACHED = "jwt_authn (cached) + local_ratelimit", "jwt_authn + local_ratelimit"
WARM_TOKENS = 100
# More than the caches keep (10,000), in a cycle: each has gone when it comes again.
COLD_TOKENS = 12_000

NO_FILTER = Wanted({}, judges_tokens=False)
ENVOYS_OWN = Wanted({"client-id": tokens.client(0), "tier": "standard"})
HALLPASS = Wanted(
    {"client-id": tokens.client(0), "tier": "standard", "schools": ",".join(tokens.school(i) for i in range(3))},
    answered=("ratelimit", "ratelimit-policy"),
    judges_scope=True,
)


def warm(bench: Bench) -> None:
    """100 tokens, over and over."""
    load = Load(bench.minter.signed("RS256", WARM_TOKENS), WARM_TOKENS, PATH)
    jwks = bench.minter.jwks()
    none = _row(bench, "no filter", [], load, NO_FILTER)
    noop = _row(bench, "a filter that does nothing", filters.noop(bench.noop), load, NO_FILTER, none)
    cached = _row(bench, CACHED, filters.envoys_own(jwks, cached=True), load, ENVOYS_OWN, none)
    uncached = _row(bench, UNCACHED, filters.envoys_own(jwks, cached=False), load, ENVOYS_OWN, none)
    calls = _row(bench, "the host calls of hallpass alone", filters.only_calls(bench.noop), load, NO_FILTER, none)
    builds = _hallpass(bench, load, none)
    silent = filters.hallpass(bench.hallpass, {**_first_system(bench), "filter_state": []})
    builds.append(_row(bench, "hallpass without facts for the access log", silent, load, HALLPASS, none))
    guarded = filters.guarded(bench.hallpass, _first_system(bench))
    builds.append(_row(bench, "hallpass and the guard", guarded, load, HALLPASS, none))
    rows = [none, noop, calls, cached, uncached, *builds]
    bench.run(rows)
    for build in builds:
        _cached_share(build.envoy, at_least=0.95)
    bench.report.tables.append(comparison(f"Warm: {WARM_TOKENS} tokens (RS256)", rows, cached))
    own = builds[0]
    bench.report.targets += [
        Target("warm: added, of Envoy's own with cache", own.added_us / cached.added_us, 1),
        Target("warm: added, of Envoy's own without cache", own.added_us / uncached.added_us, 0.2),
        Target("warm: p99, of Envoy's own with cache", own.p99_us / cached.p99_us, 1),
    ]


def cold_rs256(bench: Bench) -> None:
    """Every token new, RSA."""
    _cold(bench, "RS256")


def cold_es256(bench: Bench) -> None:
    """Every token new, P-256."""
    _cold(bench, "ES256")


def _cold(bench: Bench, alg: str) -> None:
    load = Load(bench.minter.signed(alg, COLD_TOKENS), COLD_TOKENS, PATH, in_order=True)
    none = _row(bench, "no filter", [], load, NO_FILTER)
    own_filters = filters.envoys_own(bench.minter.jwks(), cached=False)
    uncached = _row(bench, UNCACHED, own_filters, load, ENVOYS_OWN, none)
    builds = _hallpass(bench, load, none)
    bench.run([none, uncached, *builds])
    for build in builds:
        _cached_share(build.envoy, at_most=0.05)
    bench.report.tables.append(comparison(f"Cold: every token new ({alg})", [none, uncached, *builds], uncached))
    ratio = builds[0].added_us / uncached.added_us
    bench.report.targets.append(Target(f"cold {alg}: added, of Envoy's own without cache", ratio, 1))


def _hallpass(bench: Bench, load: Load, none: Row) -> list[Row]:
    config = _first_system(bench)
    return [
        _row(bench, name, filters.hallpass(path, config), load, HALLPASS, none) for name, path in bench.builds()
    ]


def _first_system(bench: Bench) -> dict[str, Any]:
    return filters.first_system({"jwks": {"inline": bench.minter.jwks()}})


def _row(
    bench: Bench, name: str, chain: list[filters.Filter], load: Load, wanted: Wanted, base: Row | None = None
) -> Row:
    envoy = bench.start(name, chain)
    check(envoy, load, wanted)
    return Row(name, envoy, load, base)


def _cached_share(envoy: Envoy, at_least: float = 0, at_most: float = 1) -> None:
    """How many tokens were known must fit the name of the case. Workers report every half second."""
    time.sleep(1)
    stats = envoy.stats("token_cache_total")
    hits = sum(value for name, value in stats.items() if ".=hit;" in name)
    share = hits / max(sum(stats.values()), 1)
    if not stats or not at_least <= share <= at_most:
        raise BenchError(f"Envoy `{envoy.name}`: {share:.0%} of the tokens came from the cache: {stats}")
