"""The applications of the walk, with names that no earlier walk has taken."""

from __future__ import annotations

from dataclasses import dataclass

from ..curl import CurlError, Request
from ..runner import Walk
from .client import AUTH, fresh_name


@dataclass(frozen=True)
class Cast:
    """Who takes part: applications, each with the secret for its own list of tokens."""

    main: str
    main_secret: str
    # Its tokens are for budgets.
    busy: str
    busy_secret: str


def assemble(walk: Walk) -> Cast:
    """Registers the applications."""
    walk.step(
        "Applications",
        "On the platform's own server. A district that signs up makes a token for one application, and the application",
        "finds it in its own list; the gateway gets the SHA-256 alone.",
    )
    main, busy = fresh_name("gradebook"), fresh_name("busy")
    return Cast(main, _secret(walk, main), busy, _secret(walk, busy))


def share(walk: Walk, application: str, district: str, **terms: object) -> None:
    """A district signs up."""
    data = {"application": application, "district": district, **terms}
    walk.check("status", walk.send(Request(f"{AUTH}/dev/districts/share", data=data)).status, 201)


def withdraw(walk: Walk, application: str, district: str) -> None:
    """A district shares no more."""
    data = {"application": application, "district": district}
    walk.check("status", walk.send(Request(f"{AUTH}/dev/districts/withdraw", data=data)).status, 204)


def keep_tokens(walk: Walk, application: str, secret: str, **variables: str) -> None:
    """Asks for the application's own list, and keeps the token of each named district (`TOKEN="1503000"`)."""
    answer = walk.send(Request(f"{AUTH}/oauth/tokens", user=f"{application}:{secret}"))
    walk.check("status", answer.status, 200)
    tokens = {entry["district"]: entry["access_token"] for entry in answer.member("data") or []}
    for variable, district in variables.items():
        if district not in tokens:
            raise CurlError(f"no token for the district {district} in the list of the application")
        walk.keep(variable, tokens[district])


def _secret(walk: Walk, application: str) -> str:
    data = {"application": application, "tier": "standard"}
    answer = walk.send(Request(f"{AUTH}/dev/district-applications", data=data))
    walk.check("status", answer.status, 201)
    secret = answer.member("secret")
    if not isinstance(secret, str):
        raise CurlError("no `secret` in the answer, so that the walk cannot go on")
    return secret
