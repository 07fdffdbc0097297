"""Who may see what: tokens, schools, and what the upstream is told."""

from __future__ import annotations

import time

from ..curl import Request
from ..expect import absent, between, matches
from ..runner import Walk
from ..token import payload, with_payload
from .client import AUTH, count, get, get_token, mint, register

CHALLENGE = 'Bearer realm="education-data"'
INVALID = f'{CHALLENGE}, error="invalid_token", error_description="the token is not valid"'
EXPIRED = f'{CHALLENGE}, error="invalid_token", error_description="the token expired"'
OUT_OF_SCOPE = f'{CHALLENGE}, error="insufficient_scope"'
PROBLEM_TYPE = r"https://.*#"


def register_and_get_token(walk: Walk) -> None:
    """An application picks a tier and schools and gets a token for them."""
    walk.step("Register an application", "It picks a tier and its schools, at the authorization server.")
    application = register(walk, "attendance-dashboard", "standard", ["oakwood-primary", "ravenscroft-high"])
    walk.step("Get a token", "Through the gateway, where this route is open, with a limit per client address.")
    answer = get_token(walk, application, "TOKEN")
    claims = payload(walk.variables["TOKEN"])
    walk.check("tier", claims.get("tier"), "standard")
    walk.check("schools", claims.get("schools"), ["oakwood-primary", "ravenscroft-high"])
    walk.check("lifetime", answer.member("expires_in"), 3600)
    walk.check("requests left", answer.quota("tokens", "r"), between(0, 59))


def approved_school(walk: Walk) -> None:
    """The first request of a client shows its budget whole but for one."""
    walk.step("Ask for an approved school", "RateLimit: one request of a burst of 100 and of 20,000 a day is spent.")
    answer = walk.send(get("/attendance/summary?school_id=oakwood-primary", "TOKEN"))
    walk.check_answer(answer, 200, ratelimit_policy='"minute";q=100;w=10, "day";q=20000;w=86400', retry_after=absent())
    walk.check("requests left at once", answer.quota("minute", "r"), 99)
    walk.check("requests left today", answer.quota("day", "r"), 19999)
    walk.check("the day ends in", answer.quota("day", "t"), between(1, 86400))
    schools = [row["school_id"] for row in answer.member("schools") or []]
    walk.check("schools in the answer", schools, ["oakwood-primary"])


def school_refused_by_gateway(walk: Walk) -> None:
    """Routes that say where the school stands are judged early."""
    walk.step(
        "Ask for another school", "The gateway knows where the school stands and refuses: nothing reaches the API."
    )
    before = count(walk, "upstream_requests")
    for path in ("/attendance/summary?school_id=millbrook-academy", "/schools/millbrook-academy/attendance"):
        answer = walk.send(get(path, "TOKEN"))
        walk.check_answer(answer, 403, www_authenticate=OUT_OF_SCOPE, x_envoy_upstream_service_time=absent())
        walk.check("problem type", answer.member("type"), matches(PROBLEM_TYPE + "school-out-of-scope"))
    walk.check("requests that reached the API", count(walk, "upstream_requests") - before, 0)


def school_refused_by_upstream(walk: Walk) -> None:
    """Elsewhere the upstream enforces the list that the gateway forwards."""
    walk.step("The same where the gateway has no rule", "The API decides, by the list that the gateway forwards to it.")
    answer = walk.send(get("/attendance/daily?school_id=oakwood-primary", "TOKEN"))
    walk.check_answer(answer, 200)
    answer = walk.send(get("/attendance/daily?school_id=millbrook-academy", "TOKEN"))
    walk.check_answer(answer, 403, www_authenticate=absent(), x_envoy_upstream_service_time=between(0, 10_000))
    walk.check("detail", answer.member("detail"), "the school is not on the approved list")


def refused_tokens(walk: Walk) -> None:
    """Every way to have no valid token."""
    path = "/attendance/summary?school_id=oakwood-primary"
    walk.step("No token", "RFC 6750: a challenge without an error code.")
    walk.check_answer(walk.send(get(path)), 401, www_authenticate=CHALLENGE)

    walk.step("An expired token", "It ended a minute ago; the development server signs any claims for such tests.")
    claims = payload(walk.variables["TOKEN"])
    mint(walk, "EXPIRED", {**claims, "exp": int(time.time()) - 60})
    answer = walk.send(get(path, "EXPIRED"))
    walk.check_answer(answer, 401, www_authenticate=EXPIRED)
    walk.check("problem type", answer.member("type"), matches(PROBLEM_TYPE + "token-expired"))

    walk.step("A tampered token", "One more school under the old signature.")
    claims["schools"].append("millbrook-academy")
    walk.keep("TAMPERED", with_payload(walk.variables["TOKEN"], claims))
    answer = walk.send(get("/attendance/summary?school_id=millbrook-academy", "TAMPERED"))
    walk.check_answer(answer, 401, www_authenticate=INVALID)

    walk.step(
        "A token without the claim `schools`", "Absent is not empty: it is refused, though the signature is right."
    )
    del claims["schools"]
    mint(walk, "UNCLAIMED", claims)
    walk.check_answer(walk.send(get(path, "UNCLAIMED")), 401, www_authenticate=INVALID)


def spoofed_headers(walk: Walk) -> None:
    """A client's own copies of what the gateway sets never arrive."""
    walk.step("Claim more in headers", "In three spellings. The API gets what the token says, and nothing else.")
    walk.check("forgotten", walk.send(Request(f"{AUTH}/dev/requests", method="DELETE")).status, 204)
    spoofed = ("X-Claim-Schools: millbrook-academy", "x.claim.schools: millbrook-academy", "X-Claim-Tier: premium")
    answer = walk.send(get("/attendance/daily?school_id=millbrook-academy", "TOKEN", spoofed))
    walk.check_answer(answer, 403)
    arrived = walk.send(Request(f"{AUTH}/dev/requests"))
    requests = arrived.member("requests") or [{}]
    claims = [pair for pair in requests[-1].get("headers", []) if "claim" in pair[0] and "client" not in pair[0]]
    expected = [["x-claim-schools", "oakwood-primary,ravenscroft-high"], ["x-claim-tier", "standard"]]
    walk.check("claims that arrived", sorted(claims), expected)


def failing_upstream(walk: Walk) -> None:
    """One id joins the client's answer, the gateway's log and the upstream's."""
    walk.step(
        "The API fails", "The client's X-Request-Id finds the request in both logs. They show no school and no token."
    )
    answer = walk.send(get("/broken", "TOKEN"))
    walk.check_answer(answer, 500, ratelimit=matches(r'"minute";r=\d+;t=\d+, "day";r=\d+;t=\d+'))
    request_id = answer.headers.get("x-request-id")
    upstream = walk.log_line("upstream", lambda line: line.get("request_id") == request_id)
    walk.check("status in the log of the API", upstream.get("status"), 500)
    access = walk.log_line("access", lambda line: line.get("request_id") == request_id)
    walk.check("status in the access log", access.get("status"), 500)
    walk.check("route in the access log", access.get("route"), "/stats/v1/")
    walk.check("tier in the access log", access.get("tier"), "standard")
