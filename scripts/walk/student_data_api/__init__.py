"""The Student Data API: a key and a permission token in every request, whose scope stands in the JSON body.

What spends a budget has a vendor of its own.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from ..cases import AUTH, Arrived, Ask, Burst, Check, Counted, Do, Keep, Logged, Many, Step, UsedUp, Wait, in_seconds
from ..curl import Request
from ..expect import between, find, matches, rows_of
from ..runner import Walk
from ..token import with_payload
from .client import (
    CHALLENGE, DISTRICT, GOOD, INVARIANTS as INVARIANTS, JSON_TYPE, LOGIN, ONE, OTHER_DISTRICT, OTHER_SCHOOLS, SCHOOLS,
    STUDENTS, Vendor, ask, bad_token, forge, mint, opened, raw, refused, rotate, text, too_many, until_midnight, utc,
)

# Longer than the walk takes.
MIDNIGHT_MARGIN_S = 60
DAY_S = 86400
# As in envoy/student-data-api.yaml.
STARTER_BURST, STARTER_RATE, TRIAL_DAY, LOGIN_FAILURES = 5, 2, 20, 5
BODY_BYTES_MAX = 65536
SENT = 12
# Long enough for the gateway to learn the new key, and to see both work.
OVERLAP_S = 3
MINE, THEIRS = SCHOOLS, OTHER_SCHOOLS
DISTRICT_ONLY = {"districtlea": DISTRICT}

READER = Vendor("reader", "enterprise", [DISTRICT], THEIRS[:1])
OTHER = Vendor("other", "enterprise", [OTHER_DISTRICT], [])
CLUMSY = Vendor("clumsy", "enterprise", [DISTRICT], [])
HASTY = Vendor("hasty", "enterprise", [DISTRICT], [])
STARTER = Vendor("starter", "starter", [DISTRICT], [])
GUESSER = Vendor("guesser", "starter", [DISTRICT], [])
TRIAL = Vendor("trial", "trial", [DISTRICT], [])


def key_is_listed(walk: Walk) -> None:
    """The gateway's list has the hash of a key, never the key."""
    answer = walk.send(Request(f"{AUTH}/v1/keys.json"))
    walk.check("status of the gateway's list", answer.status, 200)
    listed = [key for key in find(".keys", answer.json()) or [] if key.get("id") == walk.variables["KEY_ID"]]
    walk.check("members of the listed key", [sorted(key) for key in listed], [["client", "id", "sha256", "tier"]])
    walk.check("the key itself in the list", walk.variables["KEY"] in answer.body, False)


def tampered(walk: Walk) -> str:
    """One more district under the old signature."""
    return with_payload(walk.variables["TOKEN"], {**walk.claims("TOKEN"), "districts": [DISTRICT, OTHER_DISTRICT]})


def key_overlap(walk: Walk) -> None:
    """For a while both keys work."""
    rotate("KEY_ID", "NEW_KEY", at=utc(OVERLAP_S)).play(walk)
    ends = time.monotonic() + OVERLAP_S
    Wait(ask(ONE, key="NEW_KEY")).play(walk)
    # Unless learning the new key has taken as long.
    if time.monotonic() < ends - 0.5:
        ask(ONE).play(walk)


STARTERS = ask(ONE, key="STARTER_KEY", token="STARTER_TOKEN")
GUESSES = ask(ONE, 401, key="GUESSER_KEY", token="GUESSED")
FIRST = ask(ONE, key="FIRST_KEY", token="TRIAL_TOKEN")
SECOND = ask(ONE, key="SECOND_KEY", token="TRIAL_TOKEN")
WRONG_LOGIN = CLUMSY.refused_login(
    "a wrong password", 401, {".error": ["invalid-login"]}, "CLUMSY_KEY", password="wrong"
)
OBJECT = json.dumps(DISTRICT_ONLY)
LONG = f"{{ {text(OBJECT)}; head -c {BODY_BYTES_MAX} /dev/zero | tr '\\0' ' '; }}"

ACCESS = [
    Step(
        "Vendors and their keys",
        "The vendor portal of the development server. A key is shown once; the gateway gets its SHA-256.",
        *(vendor.add for vendor in (READER, OTHER, CLUMSY, HASTY, STARTER, GUESSER, TRIAL)),
        READER.issue("EARLY_KEY", not_before=utc(DAY_S)),
        READER.issue("LATE_KEY", not_after=utc(-DAY_S)),
        OTHER.issue("OTHER_KEY"),
        CLUMSY.issue("CLUMSY_KEY"),
        HASTY.issue("HASTY_KEY"),
        STARTER.issue("STARTER_KEY"),
        GUESSER.issue("GUESSER_KEY"),
        TRIAL.issue("FIRST_KEY"),
        TRIAL.issue("SECOND_KEY"),
        READER.issue("KEY").shown({}),
        Do(key_is_listed),
    ),
    Step(
        "The gateway learns the keys", "Without a restart. A known key alone is 401, an unknown one 403.",
        Wait(ask(ONE, 401, token=None)),
    ),
    Step(
        "Log in", "Email, password and key give a permission token: vendor, districts, schools, permissions.",
        READER.log_in(
            "KEY", "TOKEN",
            {"$TOKEN.vendor": READER.client, "$TOKEN.districts": [DISTRICT], "$TOKEN.schools": THEIRS[:1]},
        ),
        Check("lifetime", lambda walk: walk.claims("TOKEN")["exp"] - walk.claims("TOKEN")["iat"], DAY_S),
    ),
    Step(
        "Ask for the students of a district", "The scope of the request stands in its JSON body.", opened(GOOD, *MINE)
    ),
    Step(
        "Claim more in headers", "The API gets what the token says. It never gets the key.",
        Arrived(
            opened(
                {"districtlea": DISTRICT}, *MINE,
                headers=("X-Claim-Districts: 1504000", "x.claim.schools: 15040002", "X-Claim-Client-Id: other"),
            ),
            {
                "x-claim-client-id": READER.client, "x-claim-districts": DISTRICT,
                "x-claim-permissions": "students.read", "x-claim-schools": THEIRS[0], "x-claim-tier": "enterprise",
            },
        ),
    ),
    Step(
        "Keys that are none",
        "A key that is missing or invalid wins over whatever is wrong with the token. Of two keys none is guessed.",
        Keep("WRONG_KEY", "A" * 43),
        Keep("NONSENSE", "no-token"),
        refused("no key", 403, "Forbidden", {"www-authenticate": None}, key=None),
        READER.refused_login("a login without a key", 403, {".error": ["Forbidden"]}, None),
        refused("a wrong key", 403, "Forbidden", key="WRONG_KEY"),
        refused("a wrong key beside a wrong token", 403, "Forbidden", key="WRONG_KEY", token="NONSENSE"),
        refused("a wrong key without a token", 403, "Forbidden", key="WRONG_KEY", token=None),
        refused("a doubled key", 403, "Forbidden", headers=("x-api-key: $KEY",)),
        refused("a list of two keys", 403, "Forbidden", key=None, headers=("x-api-key: $KEY,$KEY",)),
        refused("a key that works from tomorrow on", 403, "Forbidden", key="EARLY_KEY"),
        refused("a key that worked until yesterday", 403, "Forbidden", key="LATE_KEY"),
    ),
    Step(
        "Tokens that are none", "The key is good. The development server signs any claims for such tests.",
        refused("no token: the key alone opens no data", 401, "unauthorized", CHALLENGE, token=None),
        refused("another scheme", 401, "invalid-token", token=None, headers=("Authorization: Basic YTpi",)),
        Keep("BAD_TOKEN", "not.a.token"),
        bad_token("malformed"),
        mint("BAD_TOKEN", lambda walk: {**walk.claims("TOKEN"), "exp": in_seconds(-60)}),
        bad_token("expired a minute ago"),
        mint("BAD_TOKEN", lambda walk: {**walk.claims("TOKEN"), "iss": "https://auth.example.com/"}),
        bad_token("of another issuer, with a right signature"),
        Keep("BAD_TOKEN", tampered),
        bad_token("one more district under the old signature"),
        forge("BAD_TOKEN", alg="none"),
        bad_token("without a signature: the algorithm is the gateway's choice, never the token's"),
        forge("BAD_TOKEN", alg="HS512", key="guessed-secret-" * 5),
        bad_token("signed with another secret"),
    ),
    Step(
        "Good ones that do not open this",
        "Key and token must be of one vendor, and the token must permit what the route needs.",
        refused("another vendor's key", 403, "no-privilege", key="OTHER_KEY"),
        READER.refused_login("a login with it", 401, {".error": ["invalid-login"]}, "OTHER_KEY"),
        READER.mint("UNPERMITTED", permissions=[]),
        refused("a token without permissions", 403, "no-privilege", body=DISTRICT_ONLY, token="UNPERMITTED"),
    ),
    Step(
        "Other paths and methods", "Refused by the gateway, in the same form.",
        Ask(f"{STUDENTS}/all", 404, {".error": ["not-found"]}, key="KEY", token="TOKEN"),
        Ask(STUDENTS, 405, {".error": ["method-not-allowed"], "allow": matches(".*POST.*")}, key="KEY", token="TOKEN"),
    ),
    Step(
        "The logs", "Client, key id and cost are there for the bill; no key, token, school or district is.",
        ask(GOOD),
        Logged("upstream", {"status": 200}, never=("$KEY", "$TOKEN", DISTRICT)),
        # The cost is one unit per student asked for.
        Logged(
            "access", {"client": READER.client, "key": "$KEY_ID", "cost": between(25, 25)},
            never=("$KEY", "$TOKEN", DISTRICT),
        ),
    ),
]

SCOPE = [
    Step(
        "Schools in scope", "One by its district, one by itself, several; as a text and as a list.",
        opened({"schoolleas": MINE[0]}, MINE[0]),
        opened({"schoolleas": [THEIRS[0]]}, THEIRS[0]),
        opened({"schoolleas": [MINE[1], THEIRS[0]]}, MINE[1], THEIRS[0]),
    ),
    Step(
        "Schools and districts out of scope",
        "Refused by the gateway: every one must be granted, and nothing reaches the API.",
        Counted(
            "upstream_requests", 0,
            refused(
                "a district, though one of its schools is granted", 403, "no-districtlea",
                {"x-envoy-upstream-service-time": None}, body={"limit": 25, "districtlea": OTHER_DISTRICT},
            ),
            refused("a school", 403, "no-privilege", body={"schoolleas": THEIRS[1]}),
            refused(
                "a school among others", 403, "no-privilege", body={**DISTRICT_ONLY, "schoolleas": [MINE[0], THEIRS[1]]}
            ),
            refused("no scope named", 403, "no-privilege", body={"limit": 25}),
            refused("a district at another depth", 403, "no-privilege", body={"filter": DISTRICT_ONLY}),
        ),
    ),
    Step(
        "Bodies", "The API gets the body byte for byte. One that two readers could read in two ways is read by none.",
        Ask(
            STUDENTS, 200, {".students[].schoollea": rows_of(*MINE)}, key="KEY", token="TOKEN", headers=(JSON_TYPE,),
            body_from=text(r'{ "districtlea" : "\u0031503000" }'), about="escapes and spaces change nothing",
        ),
        Counted(
            "upstream_requests", 0,
            raw("a doubled member", text(f'{{"districtlea": "{DISTRICT}", "districtlea": "{OTHER_DISTRICT}"}}'), 400),
            raw("compressed", f"{text(OBJECT)} | gzip", 415, JSON_TYPE, "Content-Encoding: gzip"),
            raw("JSON as another content type", text(OBJECT), 415, "Content-Type: text/plain"),
            raw("another charset", text(OBJECT), 415, f"{JSON_TYPE}; charset=utf-16"),
            raw("over the cap, with its length in the head", LONG, 413),
            raw("over the cap, in chunks", LONG, 413, JSON_TYPE, "Transfer-Encoding: chunked"),
            raw("nothing", text(""), 400),
            raw("half an object", text('{"districtlea":'), 400),
            raw("two objects", text(OBJECT * 2), 400),
            raw("a number where a text belongs", text(f'{{"districtlea": {DISTRICT}}}'), 400),
        ),
    ),
]

BUDGETS = [
    Step(
        "Too many requests", f"Starter admits {STARTER_BURST} at once, then {STARTER_RATE} per second.",
        STARTER.mint("STARTER_TOKEN"),
        Many(STARTERS, SENT, Burst(200, STARTER_BURST, STARTER_RATE), parallel=True),
        UsedUp(replace(STARTERS, status=429, wants=too_many("1")), SENT),
    ),
    Step(
        "The same on the Enterprise plan", "Another client, another budget.",
        Many(ask(ONE), SENT, {200: SENT}, parallel=True),
    ),
    Step(
        "Guessed tokens", "Each one costs the key a request: after the burst, not even the token is looked at.",
        Keep("GUESSED", "guessed.guessed.guessed"),
        Many(GUESSES, SENT, Burst(401, STARTER_BURST, STARTER_RATE), parallel=True),
        UsedUp(replace(GUESSES, status=429, wants=too_many("1")), SENT),
    ),
    Step(
        "The last request of the day",
        f"The plan `trial`, which only the demo has, ends after {TRIAL_DAY} requests a day (the public ones, 1,000 or more). "
        "The client has two keys, which share the quota; the login counts too.",
        TRIAL.log_in("FIRST_KEY", "TRIAL_TOKEN"),
        Many(FIRST, TRIAL_DAY // 2, {200: TRIAL_DAY // 2}),
        Many(SECOND, TRIAL_DAY // 2 - 2, {200: TRIAL_DAY // 2 - 2}),
        ask(ONE, 200, {"retry-after": None}, key="SECOND_KEY", token="TRIAL_TOKEN"),
    ),
    Step(
        "One more", "With either key. Retry-After is the time until midnight UTC, but at most an hour.",
        ask(ONE, 429, too_many(until_midnight()), key="SECOND_KEY", token="TRIAL_TOKEN"),
        ask(ONE, 429, too_many(until_midnight()), key="FIRST_KEY", token="TRIAL_TOKEN"),
    ),
    Step(
        "A new key on the old budget", "The first key is rotated. The new one is known, the quota still used up.",
        rotate("FIRST_KEY_ID", "THIRD_KEY"),
        Wait(ask(ONE, 429, key="THIRD_KEY", token="TRIAL_TOKEN")),
        refused("the old key", 403, "Forbidden", body=ONE, key="FIRST_KEY", token="TRIAL_TOKEN"),
    ),
    Step(
        "Logins that succeed", f"{SENT} of them: what counts are failures.",
        Many(Ask(LOGIN, 200, key="CLUMSY_KEY", data=CLUMSY.user), SENT, {200: SENT}),
    ),
    Step(
        "Logins that fail",
        f"{LOGIN_FAILURES} a minute for a key from one address; then not even the right password. The data of the vendor stays "
        "open to it.",
        *[WRONG_LOGIN] * LOGIN_FAILURES,
        UsedUp(
            CLUMSY.refused_login("beyond the limit", 429, too_many(between(1, 60)), "CLUMSY_KEY", password="wrong"),
            LOGIN_FAILURES,
        ),
        CLUMSY.refused_login("not even the right password now", 429, too_many(between(1, 60)), "CLUMSY_KEY"),
        CLUMSY.mint("CLUMSY_TOKEN"),
        ask(DISTRICT_ONLY, key="CLUMSY_KEY", token="CLUMSY_TOKEN"),
    ),
    Step(
        "The same, all at once", "Charged before the login is forwarded, so that a burst does not slip through.",
        Many(
            HASTY.refused_login("", 401, {}, "HASTY_KEY", password="wrong"), SENT,
            Burst(401, LOGIN_FAILURES, LOGIN_FAILURES / 60), parallel=True,
        ),
    ),
]

CHANGES = [
    Step(
        "A key is rotated", f"The new key works at once, the old one for {OVERLAP_S} more seconds.",
        Do(key_overlap),
        Wait(ask(ONE, 403)),
        refused("the old key", 403, "Forbidden", body=ONE),
        ask(ONE, key="NEW_KEY"),
    ),
    Step(
        "A token is revoked",
        "By its `jti`. It was used before, so that the gateway had it in its cache. Another token of the vendor stays good.",
        READER.log_in("NEW_KEY", "LOST"),
        ask(ONE, key="NEW_KEY", token="LOST"),
        Ask(f"{AUTH}/dev/revoke", 204, data=lambda walk: {"jti": walk.claims("LOST")["jti"]}),
        Wait(ask(ONE, 401, key="NEW_KEY", token="LOST")),
        refused("the old token", 401, "invalid-token", body=ONE, key="NEW_KEY", token="LOST"),
        ask(ONE, key="NEW_KEY"),
    ),
    Step(
        "The access scope changes", "What was issued before is void: no token keeps a scope that was taken away.",
        Ask(f"{AUTH}/dev/scope", 200, data={"vendor": READER.client, "districts": [OTHER_DISTRICT], "schools": []}),
        Wait(ask(ONE, 401, key="NEW_KEY")),
        refused("the old token", 401, "invalid-token", body=ONE, key="NEW_KEY"),
    ),
    Step(
        "A token of the new scope", "The other district is open now, and the old one is not.",
        READER.log_in("NEW_KEY", "NEW_TOKEN", {"$NEW_TOKEN.districts": [OTHER_DISTRICT]}),
        Check(
            "issued after the old token", lambda walk: walk.claims("TOKEN")["iat"] < walk.claims("NEW_TOKEN")["iat"],
            True,
        ),
        opened({"limit": 25, "districtlea": OTHER_DISTRICT}, *THEIRS, key="NEW_KEY", token="NEW_TOKEN"),
        refused("the old district", 403, "no-districtlea", key="NEW_KEY", token="NEW_TOKEN"),
    ),
]

STEPS = [*ACCESS, *SCOPE, *BUDGETS, *CHANGES]
