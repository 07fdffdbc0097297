"""District tokens: signing up, what a token opens, budgets, and the end of one."""

from __future__ import annotations

import time

from ..curl import Request
from ..expect import absent, between
from ..runner import REFRESH_S, Walk
from . import client
from .cast import Cast, keep_tokens, share, withdraw
from .client import (
    AUTH,
    BEARER_CHALLENGE,
    DISTRICT,
    DISTRICT_SCHOOLS,
    OTHER_DISTRICT,
    OTHER_DISTRICT_SCHOOLS,
    check_problem,
    check_schools,
    check_students,
    wait_for,
)

# Of the tier `standard`, see envoy/district-tokens.yaml.
DISTRICT_BURST = 20
TOTAL_BURST = 60
JWT_LIFETIME_S = 3600


def signed_up(walk: Walk, cast: Cast) -> None:
    """A token appears in the application's list, and works without a restart."""
    walk.step("A district signs up", "It shares all its schools. The token appears in the application's list.")
    share(walk, cast.main, DISTRICT)
    keep_tokens(walk, cast.main, cast.main_secret, TOKEN=DISTRICT)
    walk.say("The gateway learns it with its next fetch:")
    wait_for(walk, client.schools(bearer="TOKEN"), 200)
    answer = walk.send(client.schools(bearer="TOKEN"))
    check_schools(walk, answer, *DISTRICT_SCHOOLS)
    walk.check("Deprecation", answer.headers.get("deprecation"), absent())
    check_students(walk, walk.send(client.students(DISTRICT, bearer="TOKEN")), *DISTRICT_SCHOOLS)

    walk.step("Another district signs up, with one school", "A second token. The first opens what it did before.")
    share(walk, cast.main, OTHER_DISTRICT, schools=OTHER_DISTRICT_SCHOOLS[:1])
    keep_tokens(walk, cast.main, cast.main_secret, TOKEN=DISTRICT, OTHER_TOKEN=OTHER_DISTRICT)
    wait_for(walk, client.schools(bearer="OTHER_TOKEN"), 200)
    check_schools(walk, walk.send(client.schools(bearer="OTHER_TOKEN")), *OTHER_DISTRICT_SCHOOLS[:1])


def another_district(walk: Walk, cast: Cast) -> None:
    """A token opens its own district alone."""
    walk.step("A token for one district, asked for another", "The application has tokens for both; each opens its own.")
    answer = walk.send(client.students(OTHER_DISTRICT, bearer="TOKEN"))
    check_problem(walk, answer, 403, "district-out-of-scope", www_authenticate=BEARER_CHALLENGE)
    check_problem(walk, walk.send(client.students(DISTRICT, bearer="OTHER_TOKEN")), 403, "district-out-of-scope")
    answer = walk.send(client.students_of_school(OTHER_DISTRICT_SCHOOLS[0], bearer="TOKEN"))
    check_problem(walk, answer, 403, "school-out-of-scope")
    walk.say("A school of its own district that was not shared:")
    answer = walk.send(client.students_of_school(OTHER_DISTRICT_SCHOOLS[1], bearer="OTHER_TOKEN"))
    check_problem(walk, answer, 403, "school-out-of-scope")


def beside_jwts(walk: Walk, cast: Cast) -> None:
    """The same routes take the platform's JWTs."""
    walk.step("A JWT on the same route", "The platform's own applications have JWTs. The API sees the same headers.")
    claims = {
        "iss": "https://auth.example.com/",
        "client_id": client.fresh_name("dashboard"),
        "tier": "standard",
        "districts": [DISTRICT],
        "schools": DISTRICT_SCHOOLS,
        "exp": int(time.time()) + JWT_LIFETIME_S,
    }
    answer = walk.send(Request(f"{AUTH}/dev/tokens", data={"claims": claims}))
    walk.keep("JWT", answer.member("access_token") or "")
    check_students(walk, walk.send(client.students(DISTRICT, bearer="JWT")), *DISTRICT_SCHOOLS)
    check_problem(walk, walk.send(client.students(OTHER_DISTRICT, bearer="JWT")), 403, "district-out-of-scope")

    walk.step("A JWT with a wrong signature", "It is a JWS of a known issuer: it is never looked up as anything else.")
    head, payload, _ = walk.variables["JWT"].split(".")
    walk.keep("FORGED", f"{head}.{payload}.{'A' * 342}")
    check_problem(walk, walk.send(client.students(DISTRICT, bearer="FORGED")), 401, "token-invalid")


def forwarded(walk: Walk, cast: Cast) -> None:
    """What the API is told, and what it is not."""
    walk.step("Claim more in headers", "The API gets what the list says for the token.")
    walk.check("forgotten", walk.send(Request(f"{AUTH}/dev/requests", method="DELETE")).status, 204)
    spoofed = ("X-Claim-Districts: 1504000", "x.claim.schools: 15040002", "X-Claim-Tier: premium")
    check_schools(walk, walk.send(client.schools(bearer="TOKEN", headers=spoofed)), *DISTRICT_SCHOOLS)
    wanted = [
        ["x-claim-client-id", cast.main],
        ["x-claim-districts", DISTRICT],
        ["x-claim-schools", ",".join(DISTRICT_SCHOOLS)],
        ["x-claim-tier", "standard"],
    ]
    requests = walk.send(Request(f"{AUTH}/dev/requests")).member("requests") or [{}]
    names = [name for name, _ in wanted]
    arrived = requests[-1].get("headers", [])
    folded = [pair for pair in arrived if pair[0].replace(".", "-").replace("_", "-") in names]
    walk.check("claims that arrived", sorted(folded), wanted)


def unknown(walk: Walk) -> None:
    """No credential, and one that nobody issued."""
    walk.step("No credential, and an unknown token")
    check_problem(walk, walk.send(client.schools()), 401, "token-missing", www_authenticate=BEARER_CHALLENGE)
    walk.keep("UNKNOWN", "A" * 43)
    check_problem(walk, walk.send(client.schools(bearer="UNKNOWN")), 401, "token-invalid")


def budgets(walk: Walk, cast: Cast) -> None:
    """An application has a total, and a part of it for each district."""
    walk.step(
        "Budgets: each district's part, and the application's total",
        f"{DISTRICT_BURST} requests at once for each district, {TOTAL_BURST} for the application in all districts.",
    )
    share(walk, cast.busy, DISTRICT)
    share(walk, cast.busy, OTHER_DISTRICT)
    keep_tokens(walk, cast.busy, cast.busy_secret, BUSY=DISTRICT, BUSY_OTHER=OTHER_DISTRICT)
    wait_for(walk, client.schools(bearer="BUSY_OTHER"), 200)
    wait_for(walk, client.schools(bearer="BUSY"), 200)
    # What the waiting used comes back at 5 a second.
    time.sleep(DISTRICT_BURST / 5)
    got = walk.send_many(client.statuses(client.schools(bearer="BUSY"), 2 * DISTRICT_BURST))
    walk.check("passed", got[200], between(DISTRICT_BURST, 2 * DISTRICT_BURST - 5))
    answer = walk.send(client.schools(bearer="BUSY"))
    if answer.status == 429:
        walk.check("the limit that is used up", answer.member("violated-policies"), ["district"])
    walk.say("The other district has its own part:")
    answer = walk.send(client.schools(bearer="BUSY_OTHER"))
    check_schools(walk, answer, *OTHER_DISTRICT_SCHOOLS)
    left = answer.quota("total", "r")
    walk.check("left of the total, which both draw on", left, between(1, TOTAL_BURST - 2))


def list_unavailable(walk: Walk, cast: Cast) -> None:
    """The last good list serves on."""
    walk.step("The list cannot be had", "500 from its server: what is known stays known, and nothing else is let in.")
    fault = {"status": 500, "body": "broken"}
    walk.check("status", walk.send(Request(f"{AUTH}/dev/district-tokens-fault", data=fault)).status, 204)
    time.sleep(2 * REFRESH_S)
    check_schools(walk, walk.send(client.schools(bearer="TOKEN")), *DISTRICT_SCHOOLS)
    check_problem(walk, walk.send(client.schools(bearer="UNKNOWN")), 401, "token-invalid")
    healthy = Request(
        f"{AUTH}/dev/district-tokens-fault", headers=("Content-Type: application/json",), options=("-si", "-d", "null")
    )
    walk.check("status", walk.send(healthy).status, 204)


def withdrawn(walk: Walk, cast: Cast) -> None:
    """A token stops when its district withdraws."""
    walk.step("A district withdraws", "Its token stops within a refresh; that of the other district goes on.")
    withdraw(walk, cast.main, DISTRICT)
    wait_for(walk, client.schools(bearer="TOKEN"), 401)
    check_problem(walk, walk.send(client.schools(bearer="TOKEN")), 401, "token-invalid")
    check_schools(walk, walk.send(client.schools(bearer="OTHER_TOKEN")), *OTHER_DISTRICT_SCHOOLS[:1])
