"""What a vendor of the Student Data API does: get keys, log in, ask for students; and what refuses it."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..cases import AUTH, GATEWAY, Ask, fresh, in_seconds, seconds_to_midnight
from ..curl import Answer
from ..expect import Expectation, between, matches, rows_of
from ..runner import Invariant, Walk

STUDENTS, LOGIN = f"{GATEWAY}/v1/students", f"{GATEWAY}/v1/login"
# As in tests/dev-server/data/students.json.
DISTRICT, OTHER_DISTRICT = "1503000", "1504000"
SCHOOLS, OTHER_SCHOOLS = ["15030001", "15030002"], ["15040001", "15040002"]
GOOD = {"limit": 25, "districtlea": DISTRICT}
ONE = {"limit": 1, "districtlea": DISTRICT}
CHALLENGE = {"www-authenticate": matches(r'Bearer realm="[^"]+"')}
CHALLENGE_INVALID = {"www-authenticate": matches(r'Bearer realm="[^"]+", error="invalid_token".*')}
# As in envoy/student-data-api.yaml.
RETRY_AFTER_MAX = 3600
JSON_TYPE = "Content-Type: application/json"


def _refused(answer: Answer) -> bool:
    return answer.status >= 400


def _member(answer: Answer, name: str) -> Any:
    body = answer.json()
    return body.get(name) if isinstance(body, dict) else None


# Of a refusal in the dialect of this API.
MEMBERS = ["actionOk", "error", "message"]
INVARIANTS = [
    Invariant("members are actionOk, error and message", _refused, lambda it: sorted(it.json() or ()) == MEMBERS),
    Invariant("actionOk is false", _refused, lambda it: _member(it, "actionOk") is False),
    Invariant("message is a text", _refused, lambda it: isinstance(_member(it, "message"), str)),
]


class Vendor:
    """A vendor with its one user."""

    def __init__(self, name: str, tier: str, districts: list[str], schools: list[str]) -> None:
        self.client = fresh(name)
        self.user = {"email": f"api@{self.client}.example", "password": secrets.token_urlsafe(12)}
        self.add = Ask(
            f"{AUTH}/dev/vendors",
            201,
            data={
                "vendor": self.client, "tier": tier, "districts": districts, "schools": schools,
                "permissions": ["students.read"], "users": [self.user],
            },
            folded=True,
        )

    def issue(self, name: str, **dates: str) -> Ask:
        """Makes a key, $NAME; $NAME_ID is its id."""
        keep = {name: ".key", f"{name}_ID": ".id"}
        return Ask(f"{AUTH}/dev/keys", 201, data={"client": self.client, **dates}, keep=keep, folded=True)

    def log_in(self, key: str, token: str, wants: dict[str, Any] | None = None) -> Ask:
        """Exchanges email, password and key for a token."""
        wants = {".actionOk": True, **(wants or {})}
        return Ask(LOGIN, 200, wants, key=key, data=self.user, keep={token: ".token"})

    def refused_login(self, about: str, status: int, wants: dict[str, Any], key: str | None, **other: str) -> Ask:
        """A login that is refused; `password` is another than the right one."""
        return Ask(LOGIN, status, wants, key=key, data={**self.user, **other}, about=about)

    def mint(self, token: str, **other: Any) -> Ask:
        """Has the development server sign what a login would say, for tokens that cost no login."""

        def claims(_: Walk) -> dict[str, Any]:
            issued = in_seconds(0)
            return {
                "iss": "https://students.example.com/", "vendor": self.client, "districts": [DISTRICT], "schools": [],
                "permissions": ["students.read"], "jti": secrets.token_urlsafe(12), "iat": issued, "exp": issued + 3600,
                **other,
            }

        return mint(token, claims)


def mint(token: str, claims: Callable[[Walk], dict[str, Any]]) -> Ask:
    """Has the development server sign any claims, as the login signs."""
    keep = {token: ".token"}
    return Ask(f"{AUTH}/dev/permission-tokens", 200, data=lambda walk: {"claims": claims(walk)}, keep=keep, folded=True)


def forge(token: str, **how: Any) -> Ask:
    """The claims of the good token, signed in another way."""
    return Ask(
        f"{AUTH}/dev/tokens", 200, data=lambda walk: {"claims": walk.claims("TOKEN"), "header": {"kid": None}, **how},
        keep={token: ".access_token"}, folded=True,
    )


def rotate(key_id: str, new_key: str, **data: str) -> Ask:
    """Makes the next key, and ends the old one."""
    return Ask(f"{AUTH}/dev/keys/rotate", 201, data={"id": f"${key_id}", **data}, keep={new_key: ".key"})


def ask(
    body: dict[str, Any],
    status: int = 200,
    wants: dict[str, Any] | None = None,
    key: str | None = "KEY",
    token: str | None = "TOKEN",
    headers: tuple[str, ...] = (),
) -> Ask:
    """A request for students; `districtlea` and `schoolleas` say which."""
    return Ask(STUDENTS, status, wants or {}, key=key, token=token, headers=headers, data=body)


def opened(body: dict[str, Any], *schools: str, **credentials: Any) -> Ask:
    """A request for students, which must be those of exactly these schools."""
    return ask(body, 200, {".students[].schoollea": rows_of(*schools)}, **credentials)


def refused(
    about: str, status: int, code: str, wants: dict[str, Any] | None = None, body: Any = None, **credentials: Any
) -> Ask:
    """A request for students that is refused, in the form of this API."""
    refusal = ask(GOOD if body is None else body, status, {".error": [code], **(wants or {})}, **credentials)
    return replace(refusal, about=about)


def raw(about: str, source: str, status: int, *headers: str) -> Ask:
    """A body byte for byte, which is refused."""
    headers = headers or (JSON_TYPE,)
    wants = {".error": ["bad-request"]}
    return Ask(STUDENTS, status, wants, key="KEY", token="TOKEN", headers=headers, body_from=source, about=about)


def text(body: str) -> str:
    """A command that prints this."""
    return f"printf '%s' '{body}'"


def bad_token(about: str) -> Ask:
    """A good key beside a token that is none."""
    return refused(about, 401, "invalid-token", CHALLENGE_INVALID, token="BAD_TOKEN")


def too_many(retry_after: Any) -> dict[str, Any]:
    """What a refusal for a limit says."""
    return {".error": ["too-many-requests"], "retry-after": retry_after}


def utc(seconds_from_now: float) -> str:
    """A time in RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds_from_now))


def until_midnight() -> Expectation:
    """What Retry-After says of a quota of the day, as it is when the answer came."""

    def holds(got: Any) -> bool:
        left = math.ceil(seconds_to_midnight())
        return between(min(left, RETRY_AFTER_MAX) - 2, min(left + 2, RETRY_AFTER_MAX)).holds(got)

    return Expectation(f"the seconds until midnight UTC, but at most {RETRY_AFTER_MAX}", holds)
