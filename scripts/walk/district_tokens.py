"""District tokens: one opaque token per application and district, and old keys that are retired by date.

What depends on a date comes first, as scripts/demo makes the dates some seconds away: a year of notices in half a minute.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from .cases import (
    ADMIN, AUTH, GATEWAY, POLL_S, REFRESH_S, Arrived, Ask, Burst, Check, Do, Keep, Logged, Many, Step, UsedUp, Wait,
    fresh, in_seconds,
)
from .curl import Request, parse, run
from .expect import Expectation, between, each, matches, problem, rows_of
from .runner import Walk

API = f"{GATEWAY}/districts/v1"
# As in tests/dev-server/data/students.json.
DISTRICT, OTHER_DISTRICT = "1503000", "1504000"
SCHOOLS, OTHER_SCHOOLS = ["15030001", "15030002"], ["15040001", "15040002"]
# The keys of old, whose hashes stand in envoy/district-tokens.yaml, and what that of `gradebook` opens.
OLD_KEY = "gradebook-old-key-for-development-only"
EXTENDED_KEY = "lesson-planner-old-key-for-development-only"
OPENED = [*SCHOOLS, OTHER_SCHOOLS[0]]
# Likewise: the tiers `standard` and `retiring`.
DISTRICT_BURST, DISTRICT_RATE, TOTAL_BURST = 20, 5, 60
RETIRING_BURST, RETIRING_RATE = 4, 12 / 60
RETIRING_POLICY = f'"total";q=60;w=6, "retiring";q={RETIRING_BURST};w=20, "district";q=20;w=4'
BEARER = matches(r'Bearer realm="[^"]+".*')
DOCUMENTATION = "https://districts.example.com/docs/district-tokens"
METRIC = "hallpass_retirement_total"
METRIC_WAIT_S = 5.0
JWT_LIFETIME_S = 3600
# A request that is sent this long before a date may be judged after it.
MARGIN_S = 1.0
# Seconds since 1970, as scripts/demo wrote them into the configuration; the last is for the one that was given more time.
ANNOUNCED, THROTTLED, REFUSED, EXTENDED = (int(moment) for moment in os.environ["HALLPASS_DEMO_SCHEDULE"].split())

GRADEBOOK, BUSY = fresh("gradebook"), fresh("busy")


def holds_all(*texts: str) -> Expectation:
    """A text that has all of these in it."""
    return Expectation(f"text with {texts}", lambda got: isinstance(got, str) and all(text in got for text in texts))


def basic(key: str) -> str:
    """A key as the user of Basic."""
    return "Authorization: Basic " + base64.b64encode(f"{key}:".encode()).decode()


def notice(sunset: int = REFUSED) -> dict[str, Any]:
    """What every answer to an old key says: since when it is deprecated (RFC 9745), and when it ends (RFC 8594)."""
    links = [f'<{DOCUMENTATION}>; rel="{relation}"' for relation in ("deprecation", "sunset")]
    return {"deprecation": f"@{ANNOUNCED}", "sunset": formatdate(sunset, usegmt=True), "link": holds_all(*links)}


def schools(*expected: str, wants: dict[str, Any] | None = None, **credential: Any) -> Ask:
    """Asks for the schools that a credential opens, which must be these."""
    return Ask(f"{API}/schools", 200, {".schools[].id": each(*expected), **(wants or {})}, **credential)


def students(district: str, *expected: str, wants: dict[str, Any] | None = None, **credential: Any) -> Ask:
    """Asks for the students of a district, which must be of these schools."""
    wants = {".students[].schoollea": rows_of(*expected), **(wants or {})}
    return Ask(f"{API}/{district}/students", 200, wants, **credential)


def refused(path: str, status: int, code: str, wants: dict[str, Any] | None = None, **credential: Any) -> Ask:
    """A request that is refused with a problem of this type."""
    return Ask(f"{API}{path}", status, {".type": problem(code), **(wants or {})}, **credential)


def wait_until(moment: int) -> Do:
    """Lets a date come; from then on the answers are others."""

    def wait(walk: Walk) -> None:
        walk.say(f"waiting {max(moment - time.time(), 0):.0f} s for {formatdate(moment, usegmt=True)}")
        # In small steps: a sleep may end early, and the date must not be missed by a clock that is set.
        while time.time() < moment:
            time.sleep(0.02)

    return Do(wait)


def still_before(moment: int) -> Check:
    """The steps of a phase must have ended before the next one, or they prove nothing."""
    return Check("this phase lasted until here (else HALLPASS_DEMO_PHASE_S=30)", lambda _: time.time() < moment - MARGIN_S, True)


def register(application: str, secret: str) -> Ask:
    """Registers an application; $SECRET is for its own list of tokens."""
    data = {"application": application, "tier": "standard"}
    return Ask(f"{AUTH}/dev/district-applications", 201, data=data, keep={secret: ".secret"}, folded=True)


def share(application: str, district: str, **terms: Any) -> Ask:
    """A district signs up."""
    data = {"application": application, "district": district, **terms}
    return Ask(f"{AUTH}/dev/districts/share", 201, data=data, folded=True)


def own_list(application: str, secret: str, **tokens: str) -> Ask:
    """The application's own list: the tokens of these districts, in the order in which they signed up."""
    keep = {token: f".data[{n}].access_token" for n, token in enumerate(tokens)}
    wants = {".data[].district": list(tokens.values())}
    return Ask(f"{AUTH}/oauth/tokens", 200, wants, user=f"{application}:${secret}", keep=keep)


def list_fault(body: str) -> Ask:
    """What the gateway's list of tokens answers from now on; null is healthy."""
    headers = ("Content-Type: application/json",)
    return Ask(f"{AUTH}/dev/district-tokens-fault", 204, headers=headers, body_from=f"printf '%s' '{body}'")


def admin(walk: Walk, path: str) -> str:
    """What Envoy's admin interface says."""
    return parse(run(Request(f"{ADMIN}{path}").command(), walk.variables))[0].body


def uses(walk: Walk, phase: str) -> int:
    """How often an old key was used in a phase, as Prometheus reads it."""
    labels = ('class="api_keys"', f'phase="{phase}"')
    lines = [line for line in admin(walk, "/stats/prometheus").splitlines() if line.startswith(f"{METRIC}{{")]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if all(label in line for label in labels))


def used_in(phase: str, at_least: int) -> Check:
    """The counter of a phase; a worker adds up to it a moment later."""

    def count(walk: Walk) -> int:
        deadline = time.monotonic() + METRIC_WAIT_S
        while uses(walk, phase) < at_least and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return uses(walk, phase)

    return Check(f'{METRIC}{{class="api_keys",phase="{phase}"}}', count, between(at_least, 1_000))


def pause(seconds: float) -> Do:
    """Lets time pass that the gateway counts."""
    return Do(lambda _: time.sleep(seconds))


def jwt(walk: Walk) -> dict[str, Any]:
    """What a token of the platform says."""
    return {
        "claims": {
            "iss": "https://auth.example.com/",
            "client_id": fresh("dashboard"),
            "tier": "standard",
            "districts": [DISTRICT],
            "schools": SCHOOLS,
            "exp": in_seconds(JWT_LIFETIME_S),
        }
    }


def forged(walk: Walk) -> str:
    """The JWT under a signature that is none."""
    head, payload, _ = walk.variables["JWT"].split(".")
    return f"{head}.{payload}.{'A' * 342}"


RETIREMENT = [
    Step(
        "Before the announcement", "The application-wide key opens what the configuration lists for it.",
        Keep("OLD_KEY", OLD_KEY),
        Keep("EXTENDED_KEY", EXTENDED_KEY),
        schools(
            *OPENED, key="OLD_KEY",
            wants={"deprecation": None, "sunset": None, "link": '</districts/v1/students>; rel="related"'},
        ),
        still_before(ANNOUNCED),
    ),
    Step(
        "Announced",
        "Every answer to an old key says since when it is deprecated, and when it ends. The API's own link stays.",
        wait_until(ANNOUNCED),
        schools(
            *OPENED, key="OLD_KEY",
            wants={**notice(), "link": holds_all(DOCUMENTATION, 'rel="related"', 'rel="deprecation"', 'rel="sunset"')},
        ),
    ),
    Step(
        "As the user of Basic", "The other place where old clients put the key. It never reaches the API.",
        schools(*OPENED, headers=(basic(OLD_KEY),), wants=notice()),
    ),
    Step(
        "A school that the key does not open", "The district is listed for the key, this school of it is not.",
        refused(f"/students?school_id={OTHER_SCHOOLS[1]}", 403, "school-out-of-scope", notice(), key="OLD_KEY"),
        students(OTHER_DISTRICT, OTHER_SCHOOLS[0], key="OLD_KEY"),
    ),
    Step(
        "A wrong key", "It is none of the old keys, so there is nothing to announce.",
        Keep("WRONG_KEY", "gradebook-old-key-for-nothing"),
        refused("/schools", 401, "key-invalid", {"deprecation": None, "sunset": None, "link": None}, key="WRONG_KEY"),
        still_before(THROTTLED),
    ),
    Step(
        "A key beside a token", "Which of them counts is not guessed, whatever they are.",
        Keep("SOME_TOKEN", "some-token"),
        refused("/schools", 400, "credentials-ambiguous", key="OLD_KEY", token="SOME_TOKEN"),
        refused("/schools", 400, "credentials-ambiguous", key="OLD_KEY", headers=(basic(EXTENDED_KEY),)),
        refused("/schools", 400, "credentials-ambiguous", key="OLD_KEY", headers=("X-API-Key: $EXTENDED_KEY",)),
    ),
    Step(
        "Limited harder", f"From now on the tier is `retiring`: {RETIRING_BURST} requests at once, 12 a minute.",
        wait_until(THROTTLED),
        schools(*OPENED, key="OLD_KEY", wants={**notice(), "ratelimit-policy": RETIRING_POLICY}),
        Many(schools(key="OLD_KEY"), 6, Burst(200, RETIRING_BURST - 1, RETIRING_RATE)),
        UsedUp(Ask(f"{API}/schools", 429, {"retry-after": between(1, 5), **notice()}, key="OLD_KEY"), 6),
        still_before(REFUSED),
    ),
    Step(
        "Refused", "The key has ended. The answer names what replaces it.",
        wait_until(REFUSED),
        *(
            refused(
                "/schools", 401, "credential-retired",
                {"www-authenticate": BEARER, ".detail": holds_all("a district token for each district"), **notice()},
                **credential,
            )
            for credential in ({"key": "OLD_KEY"}, {"headers": (basic(OLD_KEY),)})
        ),
    ),
    Step(
        "An extension", "`lesson-planner` has until later, and its answers say so. It is limited harder too.",
        still_before(EXTENDED),
        students(
            DISTRICT, SCHOOLS[0], key="EXTENDED_KEY", wants={**notice(EXTENDED), "ratelimit-policy": RETIRING_POLICY}
        ),
    ),
    Step(
        "Who still uses old keys", "A counter per class and phase; the application is in the access log alone.",
        *(used_in(phase, n) for phase, n in (("before", 1), ("announced", 4), ("throttled", 6), ("refused", 2))),
        Logged(
            "access", {"client": "gradebook", "key": "gradebook-2012"},
            where={"retirement": "refused", "client": "gradebook"},
        ),
        Check(
            "names of clients in metrics",
            lambda walk: [name for name in ("gradebook", "lesson-planner") if name in admin(walk, "/stats")], [],
        ),
    ),
]

TOKENS = [
    Step(
        "A district signs up",
        "It shares all its schools. The token appears in the application's own list; the gateway gets its SHA-256 alone, with "
        "its next fetch.",
        register(GRADEBOOK, "GRADEBOOK_SECRET").shown({}),
        register(BUSY, "BUSY_SECRET"),
        share(GRADEBOOK, DISTRICT).shown({}),
        own_list(GRADEBOOK, "GRADEBOOK_SECRET", TOKEN=DISTRICT),
        Wait(schools(token="TOKEN")),
        schools(*SCHOOLS, token="TOKEN", wants={"deprecation": None}),
        students(DISTRICT, *SCHOOLS, token="TOKEN"),
    ),
    Step(
        "Another district signs up, with one school", "A second token. The first opens what it did before.",
        share(GRADEBOOK, OTHER_DISTRICT, schools=OTHER_SCHOOLS[:1]),
        own_list(GRADEBOOK, "GRADEBOOK_SECRET", TOKEN=DISTRICT, OTHER_TOKEN=OTHER_DISTRICT),
        Wait(schools(token="OTHER_TOKEN")),
        schools(*OTHER_SCHOOLS[:1], token="OTHER_TOKEN"),
    ),
    Step(
        "A token for one district, asked for another",
        "The application has tokens for both; each opens its own. The last school is one that its own district did not share.",
        refused(
            f"/{OTHER_DISTRICT}/students", 403, "district-out-of-scope", {"www-authenticate": BEARER}, token="TOKEN"
        ),
        refused(f"/{DISTRICT}/students", 403, "district-out-of-scope", token="OTHER_TOKEN"),
        refused(f"/students?school_id={OTHER_SCHOOLS[0]}", 403, "school-out-of-scope", token="TOKEN"),
        refused(f"/students?school_id={OTHER_SCHOOLS[1]}", 403, "school-out-of-scope", token="OTHER_TOKEN"),
    ),
    Step(
        "A JWT on the same route", "The platform's own applications have JWTs. The API sees the same headers.",
        Ask(f"{AUTH}/dev/tokens", 200, data=jwt, keep={"JWT": ".access_token"}, folded=True),
        students(DISTRICT, *SCHOOLS, token="JWT"),
        refused(f"/{OTHER_DISTRICT}/students", 403, "district-out-of-scope", token="JWT"),
    ),
    Step(
        "A JWT with a wrong signature", "It is a JWS of a known issuer: it is never looked up as anything else.",
        Keep("FORGED", forged),
        refused(f"/{DISTRICT}/students", 401, "token-invalid", token="FORGED"),
    ),
    Step(
        "Claim more in headers", "The API gets what the list says for the token.",
        Arrived(
            schools(
                *SCHOOLS, token="TOKEN",
                headers=("X-Claim-Districts: 1504000", "x.claim.schools: 15040002", "X-Claim-Tier: premium"),
            ),
            {
                "x-claim-client-id": GRADEBOOK, "x-claim-districts": DISTRICT, "x-claim-schools": ",".join(SCHOOLS),
                "x-claim-tier": "standard",
            },
        ),
    ),
    Step(
        "No credential, and an unknown token", "Neither opens anything.",
        refused("/schools", 401, "token-missing", {"www-authenticate": BEARER}),
        Keep("UNKNOWN", "A" * 43),
        refused("/schools", 401, "token-invalid", token="UNKNOWN"),
    ),
    Step(
        "Budgets: each district's part, and the application's total",
        f"{DISTRICT_BURST} requests at once for each district, {TOTAL_BURST} for the application in all districts.",
        share(BUSY, DISTRICT),
        share(BUSY, OTHER_DISTRICT),
        own_list(BUSY, "BUSY_SECRET", BUSY=DISTRICT, BUSY_OTHER=OTHER_DISTRICT),
        Wait(schools(token="BUSY_OTHER")),
        Wait(schools(token="BUSY")),
        # What the waiting used comes back.
        pause(DISTRICT_BURST / DISTRICT_RATE),
        Many(schools(token="BUSY"), 2 * DISTRICT_BURST, Burst(200, DISTRICT_BURST, DISTRICT_RATE)),
        schools(*OTHER_SCHOOLS, token="BUSY_OTHER", wants={"ratelimit total r": between(1, TOTAL_BURST - 2)}),
        UsedUp(Ask(f"{API}/schools", 429, {".violated-policies": ["district"]}, token="BUSY"), 2 * DISTRICT_BURST),
    ),
    Step(
        "The list cannot be had", "500 from its server: what is known stays known, and nothing else is let in.",
        list_fault('{"status": 500, "body": "broken"}'),
        pause(2 * REFRESH_S),
        schools(*SCHOOLS, token="TOKEN"),
        refused("/schools", 401, "token-invalid", token="UNKNOWN"),
        list_fault("null"),
    ),
    Step(
        "A district withdraws", "Its token stops within a refresh; that of the other district goes on.",
        Ask(f"{AUTH}/dev/districts/withdraw", 204, data={"application": GRADEBOOK, "district": DISTRICT}),
        Wait(Ask(f"{API}/schools", 401, token="TOKEN")),
        refused("/schools", 401, "token-invalid", token="TOKEN"),
        schools(*OTHER_SCHOOLS[:1], token="OTHER_TOKEN"),
    ),
]

STEPS = [*RETIREMENT, *TOKENS]
