"""The Student Data API: an API key, a permission token, and the scope in the body."""

from __future__ import annotations

from .. import filters, tokens
from ..bench import Bench
from ..checks import Wanted, check
from ..lists import Lists
from ..report import comparison
from ..rounds import Load, Row

BODY = '{"limit": 25, "districtlea": "1503000"}'
COUNT = 100
NO_FILTER = Wanted({}, judges_tokens=False)
ENVOYS_OWN = Wanted({"client": tokens.client(0), "client-id": tokens.client(0)}, judges_keys=True)
HALLPASS = Wanted(
    {
        "client-id": tokens.client(0),
        "tier": "enterprise",
        "districts": "1503000",
        "schools": "15040001",
        "permissions": "students.read",
    },
    answered=("ratelimit", "ratelimit-policy"),
    judges_keys=True,
    judges_scope=True,
)


def load(bench: Bench, count: int) -> Load:
    """Requests of so many vendors."""
    return Load(bench.minter.students(count), count, "/v1/students", "POST", BODY)


def run(bench: Bench) -> None:
    """hallpass beside api_key_auth and jwt_authn."""
    with Lists([COUNT]) as lists:
        requests = load(bench, COUNT)
        last = [filters.buffer()]

        def row(name: str, chain: list[filters.Filter], wanted: Wanted, base: Row | None = None) -> Row:
            envoy = bench.start(f"students {name}", chain + last, lists=lists.address)
            check(envoy, requests, wanted)
            return Row(name, envoy, requests, base)

        none = row("no filter", [], NO_FILTER)
        cached = row(
            "api_key_auth + jwt_authn (cached)", filters.envoys_own_for_students(COUNT, cached=True), ENVOYS_OWN, none
        )
        uncached = row(
            "api_key_auth + jwt_authn", filters.envoys_own_for_students(COUNT, cached=False), ENVOYS_OWN, none
        )
        config = filters.students(f"keys-{COUNT}.json")
        builds = [row(name, filters.hallpass(path, config), HALLPASS, none) for name, path in bench.builds()]
        bench.run([none, cached, uncached, *builds])
        title = f"Student data: {COUNT} keys, HS512, scope in the body"
        bench.report.tables.append(comparison(title, [none, cached, uncached, *builds], cached))
        lists.shutdown()
