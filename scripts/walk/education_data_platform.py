"""The Education Data Platform: tokens, tiers with limits, and the schools that an application may see.

Each step has applications of its own, so that no step spends another's budget.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from .cases import AUTH, GATEWAY, POLL_S, Arrived, Ask, Burst, Counted, Do, Keep, Logged, Many, Step, UsedUp, in_seconds
from .expect import between, matches, problem
from .runner import Walk
from .token import with_payload

# Longer than the walk takes.
MIDNIGHT_MARGIN_S = 15
TWO_SCHOOLS = ["oakwood-primary", "ravenscroft-high"]
SUMMARY = "/attendance/summary?school_id=oakwood-primary"
OTHER_SUMMARY = "/attendance/summary?school_id=millbrook-academy"
CHALLENGE = 'Bearer realm="education-data"'
INVALID = f'{CHALLENGE}, error="invalid_token", error_description="the token is not valid"'
EXPIRED = f'{CHALLENGE}, error="invalid_token", error_description="the token expired"'
OUT_OF_SCOPE = f'{CHALLENGE}, error="insufficient_scope"'
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
UPSTREAM_TIME = "x-envoy-upstream-service-time"
# As in envoy/education-data-platform.yaml.
FREE_BURST, FREE_DAY, FREE_COST, FREE_MAX_COST = 30, 1000, 60, 20
PREMIUM_DAY = 200_000
SENT = 40
RACING = 20
# Requests with the old token that are still to be answered after the new key is in use.
BACKGROUND_AFTER = 10


def register(name: str, tier: str, schools: list[str]) -> Ask:
    """Registers an application; $NAME_ID and $NAME_SECRET are its credentials."""
    keep = {f"{name}_ID": ".client_id", f"{name}_SECRET": ".client_secret"}
    data = {"name": name.lower(), "tier": tier, "schools": schools}
    return Ask(f"{AUTH}/applications", 201, data=data, keep=keep, folded=True)


def change(name: str, **data: Any) -> Ask:
    """Changes the tier or the schools of an application."""
    user = f"${name}_ID:${name}_SECRET"
    return Ask(f"{AUTH}/applications/${name}_ID", 200, method="PATCH", user=user, data=data)


def get_token(name: str, token: str) -> Ask:
    """Exchanges the secret for a token."""
    data = {
        "client_id": f"${name}_ID", "client_secret": f"${name}_SECRET", "audience": "https://api.example.com",
        "grant_type": "client_credentials",
    }
    return Ask(f"{GATEWAY}/oauth/token", 200, data=data, keep={token: ".access_token"}, folded=True)


def mint(token: str, claims: Callable[[Walk], dict[str, Any]]) -> Ask:
    """Has the development server sign any claims."""
    keep = {token: ".access_token"}
    return Ask(f"{AUTH}/dev/tokens", 200, data=lambda walk: {"claims": claims(walk)}, keep=keep, folded=True)


def get(
    path: str, status: int, wants: dict[str, Any] | None = None, token: str | None = "TOKEN", about: str = ""
) -> Ask:
    """A request for statistics through the gateway."""
    return Ask(f"{GATEWAY}/stats/v1{path}", status, wants or {}, token=token, about=about)


def tampered(walk: Walk) -> str:
    """One more school under the old signature."""
    return with_payload(
        walk.variables["TOKEN"], {**walk.claims("TOKEN"), "schools": [*TWO_SCHOOLS, "millbrook-academy"]}
    )


def rotate_while_requests_run(walk: Walk) -> None:
    """The first token under a new key makes hallpass fetch the keys, and waits for them."""
    old = get("/schools", 200, token="OLD_KEY").request(walk)
    answered: list[int] = []
    stop = threading.Event()

    def ask_on() -> None:
        while not stop.is_set():
            answered.append(walk.send_apart(old))

    def await_more(count: int) -> None:
        target = len(answered) + count
        while len(answered) < target:
            time.sleep(POLL_S)

    walk.say("in the background, over and over until the rotation is done:")
    walk.show_command(old.statuses())
    background = threading.Thread(target=ask_on, daemon=True)
    background.start()
    try:
        await_more(1)
        Ask(f"{AUTH}/dev/rotate-keys", 200, data={"mode": "add", "alg": "ES256"}).play(walk)
        get_token("STEADY", "NEW_KEY").play(walk)
        walk.say(f"{RACING} requests at once under a key that the gateway has not seen:")
        Many(get("/schools", 200, token="NEW_KEY"), RACING, {200: RACING}, parallel=True).play(walk)
        await_more(BACKGROUND_AFTER)
    finally:
        stop.set()
        background.join()
    walk.scores[-1].statuses.update(answered)
    walk.check("answers to the old token meanwhile", set(answered), {200})


STEPS = [
    Step(
        "Register an application", "It picks a tier and its schools, at the authorization server.",
        register("DASHBOARD", "standard", TWO_SCHOOLS).shown({}),
    ),
    Step(
        "Get a token", "Through the gateway, where this route is open, with a limit per client address.",
        get_token("DASHBOARD", "TOKEN").shown({
            "$TOKEN.tier": "standard", "$TOKEN.schools": TWO_SCHOOLS, ".expires_in": 3600,
            "ratelimit tokens r": between(0, 59),
        }),
    ),
    Step(
        "Ask for an approved school", "RateLimit: one request of a burst of 100 and of 20,000 a day is spent.",
        get(SUMMARY, 200, {
            "ratelimit-policy": '"minute";q=100;w=10, "day";q=20000;w=86400', "ratelimit minute r": 99,
            "ratelimit day r": 19999, "ratelimit day t": between(1, 86400), "retry-after": None,
            ".schools[].school_id": ["oakwood-primary"],
        }),
    ),
    Step(
        "Ask for another school", "The gateway knows where the school stands and refuses: nothing reaches the API.",
        Counted(
            "upstream_requests", 0,
            *(
                get(
                    path, 403,
                    {"www-authenticate": OUT_OF_SCOPE, UPSTREAM_TIME: None, ".type": problem("school-out-of-scope")},
                )
                for path in (OTHER_SUMMARY, "/schools/millbrook-academy/attendance")
            ),
        ),
    ),
    Step(
        "The same where the gateway has no rule", "The API decides, by the list that the gateway forwards to it.",
        get("/attendance/daily?school_id=oakwood-primary", 200),
        get("/attendance/daily?school_id=millbrook-academy", 403, {
            "www-authenticate": None, UPSTREAM_TIME: between(0, 10_000),
            ".detail": "the school is not on the approved list",
        }),
    ),
    Step(
        "Tokens that are none",
        "RFC 6750: without a token the challenge has no error code. An absent list of schools is no empty one: it is refused. "
        "The development server signs any claims for such tests.",
        get(SUMMARY, 401, {"www-authenticate": CHALLENGE}, token=None, about="no token"),
        mint("EXPIRED", lambda walk: {**walk.claims("TOKEN"), "exp": in_seconds(-60)}),
        get(
            SUMMARY, 401, {"www-authenticate": EXPIRED, ".type": problem("token-expired")}, "EXPIRED",
            "expired a minute ago",
        ),
        Keep("TAMPERED", tampered),
        get(OTHER_SUMMARY, 401, {"www-authenticate": INVALID}, "TAMPERED", "one more school under the old signature"),
        mint("UNCLAIMED", lambda walk: {it: value for it, value in walk.claims("TOKEN").items() if it != "schools"}),
        get(SUMMARY, 401, {"www-authenticate": INVALID}, "UNCLAIMED", "without the claim `schools`"),
    ),
    Step(
        "Claim more in headers", "In three spellings. The API gets what the token says, and nothing else.",
        Arrived(
            Ask(
                f"{GATEWAY}/stats/v1/attendance/daily?school_id=millbrook-academy",
                403,
                token="TOKEN",
                headers=(
                    "X-Claim-Schools: millbrook-academy", "x.claim.schools: millbrook-academy", "X-Claim-Tier: premium",
                ),
            ),
            {
                "x-claim-client-id": "$DASHBOARD_ID", "x-claim-schools": "oakwood-primary,ravenscroft-high",
                "x-claim-tier": "standard",
            },
        ),
    ),
    Step(
        "The API fails", "The client's X-Request-Id finds the request in both logs. They show no school and no token.",
        get("/broken", 500, {"ratelimit": matches(r'"minute";r=\d+;t=\d+, "day";r=\d+;t=\d+')}),
        Logged("upstream", {"status": 500}, never=("$TOKEN", *TWO_SCHOOLS)),
        Logged("access", {"status": 500, "route": "/stats/v1/", "tier": "standard"}, never=("$TOKEN", *TWO_SCHOOLS)),
    ),
    Step(
        "Too many requests", f"The free tier admits {FREE_BURST} at once, then one per second.",
        register("FREE", "free", TWO_SCHOOLS),
        get_token("FREE", "FREE"),
        Many(get("/schools", 200, token="FREE"), SENT, Burst(200, FREE_BURST, per_second=1)),
        UsedUp(
            get("/schools", 429, {
                "retry-after": "1", ".type": QUOTA_EXCEEDED, ".violated-policies": ["minute"], "ratelimit minute r": 0,
                # A refusal shows the limits that refused, and no other.
                "ratelimit day r": None,
            }, token="FREE"),
            SENT,
        ),
    ),
    Step(
        "The same for the premium tier", "Another application, another tier, another budget.",
        register("PREMIUM", "premium", TWO_SCHOOLS),
        get_token("PREMIUM", "PREMIUM"),
        Many(get("/schools", 200, token="PREMIUM"), SENT, {200: SENT}),
        get("/schools", 200, {"retry-after": None, "ratelimit day r": PREMIUM_DAY - SENT - 1}, token="PREMIUM"),
    ),
    Step(
        "Too much cost",
        f"{FREE_COST} records a minute: {FREE_COST // FREE_MAX_COST} requests for {FREE_MAX_COST} fit, though "
        f"{FREE_BURST} requests would.",
        register("EXPORT", "free", TWO_SCHOOLS),
        get_token("EXPORT", "EXPORT"),
        Many(
            get(f"/attendance/records?limit={FREE_MAX_COST}", 200, token="EXPORT"), FREE_COST // FREE_MAX_COST,
            {200: FREE_COST // FREE_MAX_COST},
        ),
        get(f"/attendance/records?limit={FREE_MAX_COST}", 429, {
            "retry-after": between(FREE_MAX_COST - 5, FREE_MAX_COST),
            ".type": QUOTA_EXCEEDED,
            ".violated-policies": ["cost"],
            "ratelimit minute r": None,
            "ratelimit cost r": 0,
            "ratelimit-policy": f'"cost";q={FREE_COST};w=60;qu="cost"',
        }, token="EXPORT"),
    ),
    Step(
        "Paying for what was used",
        "One school has 10 records: X-Actual-Cost of the API gives the other 10 of each 20 back.",
        register("SMALL", "free", TWO_SCHOOLS[:1]),
        get_token("SMALL", "SMALL"),
        Many(
            get(f"/attendance/records?limit={FREE_MAX_COST}", 200, token="SMALL"), FREE_COST // FREE_MAX_COST + 1,
            {200: FREE_COST // FREE_MAX_COST + 1},
        ),
        get(f"/attendance/records?limit={FREE_MAX_COST}", 200, {"x-actual-cost": None}, token="SMALL"),
    ),
    Step(
        "Too much for one request", "No Retry-After, since waiting would not help.",
        get(
            f"/attendance/records?limit={FREE_MAX_COST + 1}", 429,
            {"retry-after": None, ".type": problem("too-costly")}, token="SMALL",
        ),
    ),
    Step(
        "One more school", "A new token carries it. The old one keeps the old list until it expires.",
        register("GROWING", "standard", ["oakwood-primary"]),
        get_token("GROWING", "OLD_LIST"),
        get(OTHER_SUMMARY, 403, token="OLD_LIST"),
        change("GROWING", schools_add=["millbrook-academy"]),
        get_token("GROWING", "NEW_LIST"),
        get(OTHER_SUMMARY, 200, token="NEW_LIST"),
        get(OTHER_SUMMARY, 403, token="OLD_LIST"),
        get("/schools", 200, {".schools[].id": ["oakwood-primary"]}, token="OLD_LIST"),
        get("/schools", 200, {".schools[].id": ["oakwood-primary", "millbrook-academy"]}, token="NEW_LIST"),
    ),
    Step(
        "A higher tier", "The limits are those of the new tier; what was used before stays used.",
        register("UPGRADED", "free", ["oakwood-primary"]),
        get_token("UPGRADED", "OLD_TIER"),
        Many(get("/schools", 200, token="OLD_TIER"), 10, {200: 10}),
        change("UPGRADED", tier="premium"),
        get_token("UPGRADED", "NEW_TIER"),
        get("/schools", 200, {"ratelimit day r": PREMIUM_DAY - 11}, token="NEW_TIER"),
        get("/schools", 200, {"ratelimit day r": FREE_DAY - 12}, token="OLD_TIER"),
    ),
    Step(
        "The signing key is rotated", "While requests run. No request fails, and the key set is fetched once.",
        register("STEADY", "premium", ["oakwood-primary"]),
        get_token("STEADY", "OLD_KEY"),
        get("/schools", 200, token="OLD_KEY"),
        Counted("jwks_requests", 1, Do(rotate_while_requests_run)),
        get("/schools", 200, token="NEW_KEY"),
        get("/schools", 200, token="OLD_KEY"),
    ),
]
