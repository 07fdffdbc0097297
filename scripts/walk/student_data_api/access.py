"""Who may ask: the key, the token, and that they belong together."""

from __future__ import annotations

import time

from ..curl import Request
from ..expect import absent, matches
from ..runner import Walk
from ..token import payload, with_payload
from .cast import Cast
from .client import (
    AUTH,
    DISTRICT,
    DISTRICT_SCHOOLS,
    OTHER_DISTRICT_SCHOOLS,
    STUDENTS,
    ask,
    check_refused,
    check_students,
    claims_for,
    log_in,
    login,
    mint,
)

DAY_S = 86400
CHALLENGE = matches(r'Bearer realm="[^"]+"')
CHALLENGE_INVALID = matches(r'Bearer realm="[^"]+", error="invalid_token".*')


def first_answer(walk: Walk, cast: Cast) -> None:
    """Log in, ask, and see what the API was told."""
    walk.step("Log in", "Email, password and key give a permission token: vendor, districts, schools, permissions.")
    claims = log_in(walk, cast.main, "KEY", "TOKEN")
    walk.check("vendor", claims.get("vendor"), cast.main.client)
    walk.check("districts", claims.get("districts"), [DISTRICT])
    walk.check("schools", claims.get("schools"), OTHER_DISTRICT_SCHOOLS[:1])
    walk.check("lifetime", claims["exp"] - claims["iat"], DAY_S)

    walk.step("Ask for the students of a district", "The scope of the request stands in its JSON body.")
    check_students(walk, walk.send(ask("KEY", "TOKEN", limit=25, districtlea=DISTRICT)), *DISTRICT_SCHOOLS)


def forwarded(walk: Walk, cast: Cast) -> None:
    """The upstream gets what key and token say, and nothing that the client claims."""
    walk.step("Claim more in headers", "The API gets what the token says. It never gets the key.")
    walk.check("forgotten", walk.send(Request(f"{AUTH}/dev/requests", method="DELETE")).status, 204)
    spoofed = ("X-Claim-Districts: 1504000", "x.claim.schools: 15040002", "X-Claim-Client-Id: other")
    answer = walk.send(ask("KEY", "TOKEN", *spoofed, districtlea=DISTRICT))
    check_students(walk, answer, *DISTRICT_SCHOOLS)
    requests = walk.send(Request(f"{AUTH}/dev/requests")).member("requests") or [{}]
    arrived = requests[-1].get("headers", [])
    wanted = [
        ["x-claim-client-id", cast.main.client],
        ["x-claim-districts", DISTRICT],
        ["x-claim-permissions", "students.read"],
        ["x-claim-schools", OTHER_DISTRICT_SCHOOLS[0]],
    ]
    names = [name for name, _ in wanted]
    folded = [pair for pair in arrived if pair[0].replace(".", "-").replace("_", "-") in names]
    walk.check("claims that arrived", sorted(folded), wanted)
    walk.check("keys that arrived", [pair for pair in arrived if pair[0] == "x-api-key"], [])


def refused_keys(walk: Walk, cast: Cast) -> None:
    """Every way to have no valid key; it wins over whatever is wrong with the token."""
    good = {"limit": 25, "districtlea": DISTRICT}
    walk.step("No key", "The token is good. The login wants a key too.")
    check_refused(walk, walk.send(ask(None, "TOKEN", **good)), 403, "Forbidden", www_authenticate=absent())
    check_refused(walk, walk.send(login(cast.main, None)), 403, "Forbidden")

    walk.step("A wrong key", "And one that is wrong beside a wrong token: the key wins.")
    walk.keep("WRONG_KEY", "A" * 43)
    check_refused(walk, walk.send(ask("WRONG_KEY", "TOKEN", **good)), 403, "Forbidden")
    walk.keep("NONSENSE", "no-token")
    check_refused(walk, walk.send(ask("WRONG_KEY", "NONSENSE", **good)), 403, "Forbidden")
    check_refused(walk, walk.send(ask("WRONG_KEY", None, **good)), 403, "Forbidden")

    walk.step("A doubled key", "Both are right. Which one counts is not guessed; nor is a list of two.")
    doubled = f"x-api-key: {walk.variables['KEY']}"
    check_refused(walk, walk.send(ask("KEY", "TOKEN", doubled, **good)), 403, "Forbidden")
    check_refused(walk, walk.send(ask(None, "TOKEN", f"{doubled},{walk.variables['KEY']}", **good)), 403, "Forbidden")

    walk.step("A key before and after its dates", "One works from tomorrow on, the other worked until yesterday.")
    check_refused(walk, walk.send(ask("EARLY_KEY", "TOKEN", **good)), 403, "Forbidden")
    check_refused(walk, walk.send(ask("LATE_KEY", "TOKEN", **good)), 403, "Forbidden")


def refused_tokens(walk: Walk, cast: Cast) -> None:
    """Every way to have no valid token, with a good key."""
    good = {"limit": 25, "districtlea": DISTRICT}
    walk.step("No token", "The key alone opens no data.")
    answer = walk.send(ask("KEY", None, **good))
    check_refused(walk, answer, 401, "unauthorized", www_authenticate=CHALLENGE)

    def refused(why: str, *lines: str) -> None:
        walk.step(why, *lines)
        answer = walk.send(ask("KEY", "BAD_TOKEN", **good))
        check_refused(walk, answer, 401, "invalid-token", www_authenticate=CHALLENGE_INVALID)

    walk.step("Another scheme", "There is an Authorization header, but no token in it.")
    answer = walk.send(ask("KEY", None, "Authorization: Basic YTpi", **good))
    check_refused(walk, answer, 401, "invalid-token")

    walk.keep("BAD_TOKEN", "not.a.token")
    refused("A malformed token")

    claims = payload(walk.variables["TOKEN"])
    mint(walk, "BAD_TOKEN", {**claims, "exp": int(time.time()) - 60})
    refused("An expired token", "It ended a minute ago; the development server signs any claims for such tests.")

    mint(walk, "BAD_TOKEN", {**claims, "iss": "https://auth.example.com/"})
    refused("A token of another issuer", "The signature is right.")

    walk.keep("BAD_TOKEN", with_payload(walk.variables["TOKEN"], {**claims, "districts": ["1503000", "1504000"]}))
    refused("A tampered token", "One more district under the old signature.")

    unsigned = Request(f"{AUTH}/dev/tokens", data={"claims": claims, "alg": "none", "header": {"kid": None}})
    walk.keep("BAD_TOKEN", walk.send(unsigned).member("access_token") or "")
    refused("A token without a signature", "`alg` is `none`: the algorithm is the gateway's choice, never the token's.")

    forged = Request(
        f"{AUTH}/dev/tokens",
        data={"claims": claims, "alg": "HS512", "key": "guessed-secret-" * 5, "header": {"kid": None}},
    )
    walk.keep("BAD_TOKEN", walk.send(forged).member("access_token") or "")
    refused("A token signed with another secret")


def another_vendor(walk: Walk, cast: Cast) -> None:
    """Key and token must belong to one vendor."""
    walk.step("Another vendor's key", "Key and token are both good, but not together.")
    answer = walk.send(ask("OTHER_KEY", "TOKEN", limit=25, districtlea=DISTRICT))
    check_refused(walk, answer, 403, "no-privilege")
    answer = walk.send(login(cast.main, "OTHER_KEY"))
    walk.say("Nor does its key log in a user of this vendor:")
    check_refused(walk, answer, 401, "invalid-login")


def permissions(walk: Walk, cast: Cast) -> None:
    """A route can require permissions."""
    walk.step("A token without the permission", "Its district is right, its permissions are none.")
    mint(walk, "UNPERMITTED", {**claims_for(cast.main, [DISTRICT], []), "permissions": []})
    check_refused(walk, walk.send(ask("KEY", "UNPERMITTED", districtlea=DISTRICT)), 403, "no-privilege")


def logs(walk: Walk, cast: Cast) -> None:
    """One id joins the client's answer, the gateway's log and the upstream's; the log tells who used what."""
    walk.step("The logs", "Client, key id and cost are there for the bill; no key, token, school or district is.")
    answer = walk.send(ask("KEY", "TOKEN", limit=25, districtlea=DISTRICT))
    walk.check_answer(answer, 200)
    request_id = answer.headers.get("x-request-id")
    upstream = walk.log_line("upstream", lambda line: line.get("request_id") == request_id)
    walk.check("status in the log of the API", upstream.get("status"), 200)
    access = walk.log_line("access", lambda line: line.get("request_id") == request_id)
    walk.check("client in the access log", access.get("client"), cast.main.client)
    walk.check("key id in the access log", access.get("key"), cast.key_id)
    walk.check("cost in the access log, one unit per student asked for", str(access.get("cost")), "25")
    texts = " ".join(str(value) for line in (upstream, access) for value in line.values())
    hidden = [walk.variables["KEY"], walk.variables["TOKEN"], DISTRICT]
    walk.check("secrets and ids in the logs", [text for text in hidden if text in texts], [])


def unknown_routes(walk: Walk) -> None:
    """What no route has, in the dialect of this API."""
    walk.step("Other paths and methods", "Refused by the gateway, in the same form.")
    check_refused(walk, walk.send(Request(f"{STUDENTS}/all", key="KEY", bearer="TOKEN")), 404, "not-found")
    answer = walk.send(Request(STUDENTS, key="KEY", bearer="TOKEN"))
    check_refused(walk, answer, 405, "method-not-allowed", allow=matches(".*POST.*"))
