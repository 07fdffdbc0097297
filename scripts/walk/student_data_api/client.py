"""What a vendor of the Student Data API does: get keys, log in, ask for students."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass
from typing import Any

from ..curl import Answer, CurlError, Request
from ..runner import Walk
from ..token import payload

GATEWAY = os.environ.get("HALLPASS_DEMO_GATEWAY", "http://127.0.0.1:10000")
AUTH = os.environ.get("HALLPASS_DEMO_AUTH", "http://127.0.0.1:9100")
STUDENTS = f"{GATEWAY}/v1/students"
LOGIN = f"{GATEWAY}/v1/login"
ISSUER = "https://students.example.com/"
READ = "students.read"
# As in tests/dev-server/data/students.json.
DISTRICT = "1503000"
DISTRICT_SCHOOLS = ["15030001", "15030002"]
OTHER_DISTRICT = "1504000"
OTHER_DISTRICT_SCHOOLS = ["15040001", "15040002"]


@dataclass(frozen=True)
class Vendor:
    """A vendor client with its one user."""

    client: str
    email: str
    password: str


def add_vendor(walk: Walk, name: str, tier: str, districts: list[str], schools: list[str]) -> Vendor:
    """Opens a client under a name that no earlier walk has taken."""
    client = f"{name}-{secrets.token_hex(3)}"
    vendor = Vendor(client, f"api@{client}.example", secrets.token_urlsafe(12))
    data = {
        "vendor": client,
        "tier": tier,
        "districts": districts,
        "schools": schools,
        "permissions": [READ],
        "users": [{"email": vendor.email, "password": vendor.password}],
    }
    walk.check("status", walk.send(Request(f"{AUTH}/dev/vendors", data=data)).status, 201)
    return vendor


def issue_key(walk: Walk, vendor: Vendor, variable: str, **dates: str) -> str:
    """Makes a key, which the variable holds from now on, and returns its id."""
    return _key(walk, walk.send(Request(f"{AUTH}/dev/keys", data={"client": vendor.client, **dates})), variable)


def rotate_key(walk: Walk, key_id: str, variable: str, **at: str) -> str:
    """Makes the next key, ends the old one, and returns the id of the new one."""
    return _key(walk, walk.send(Request(f"{AUTH}/dev/keys/rotate", data={"id": key_id, **at})), variable)


def login(vendor: Vendor, key: str | None, password: str | None = None) -> Request:
    """A login; with another password than the right one where it says so."""
    return Request(LOGIN, key=key, data={"email": vendor.email, "password": password or vendor.password})


def log_in(walk: Walk, vendor: Vendor, key: str, variable: str) -> dict[str, Any]:
    """Exchanges email, password and key for a token, and returns what it says."""
    answer = walk.send(login(vendor, key))
    walk.check_answer(answer, 200)
    walk.check("actionOk", answer.member("actionOk"), True)
    walk.keep(variable, _text(answer, "token"))
    claims = payload(walk.variables[variable])
    walk.say(f"the token says {json.dumps(claims)}")
    return claims


def mint(walk: Walk, variable: str, claims: dict[str, Any]) -> None:
    """Has the development server sign any claims."""
    answer = walk.send(Request(f"{AUTH}/dev/permission-tokens", data={"claims": claims}))
    walk.keep(variable, _text(answer, "token"))


def claims_for(vendor: Vendor, districts: list[str], schools: list[str]) -> dict[str, Any]:
    """What a login would say, for tokens that cost no login."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "vendor": vendor.client,
        "districts": districts,
        "schools": schools,
        "permissions": [READ],
        "jti": secrets.token_urlsafe(12),
        "iat": now,
        "exp": now + 3600,
    }


def ask(key: str | None, token: str | None, *headers: str, **body: Any) -> Request:
    """A request for students; `districtlea` and `schoolleas` say which."""
    return Request(STUDENTS, key=key, bearer=token, headers=headers, data=body)


def statuses(request: Request, count: int, *options: str) -> Request:
    """The same request many times, of which only the statuses are shown."""
    return Request(
        f"{request.url}?n=[1-{count}]",
        key=request.key,
        bearer=request.bearer,
        headers=request.headers,
        data=request.data,
        options=("-s", *options, "-o", "/dev/null", "-w", r"%{http_code}\n"),
    )


def check_refused(walk: Walk, answer: Answer, status: int, code: str, **headers: Any) -> None:
    """A refusal in the dialect of this API, exactly."""
    walk.check_answer(answer, status, **headers)
    body = answer.json()
    walk.check("members", sorted(body) if isinstance(body, dict) else body, ["actionOk", "error", "message"])
    walk.check("actionOk", answer.member("actionOk"), False)
    walk.check("error", answer.member("error"), [code])
    walk.check("message", "a text" if isinstance(answer.member("message"), str) else None, "a text")


def check_students(walk: Walk, answer: Answer, *schools: str) -> None:
    """Students of exactly these schools."""
    walk.check_answer(answer, 200)
    rows = answer.member("students") or []
    walk.check("schools of the students", sorted({row["schoollea"] for row in rows}), sorted(schools))


def wait_for(walk: Walk, request: Request, status: int) -> None:
    """Asks until every worker of the gateway gives this status."""
    walk.check_refreshed(statuses(request, 1), status)


def count(walk: Walk, name: str) -> int:
    """One of the development server's counters."""
    value = walk.send(Request(f"{AUTH}/dev/stats")).member(name)
    return value if isinstance(value, int) else -1


def utc(seconds_from_now: float) -> str:
    """A time in RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds_from_now))


def _key(walk: Walk, answer: Answer, variable: str) -> str:
    walk.check("status", answer.status, 201)
    walk.keep(variable, _text(answer, "key"))
    return _text(answer, "id")


def _text(answer: Answer, name: str) -> str:
    value = answer.member(name)
    if not isinstance(value, str):
        raise CurlError(f"no `{name}` in the answer, so that the walk cannot go on")
    return value
