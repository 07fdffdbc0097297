"""What an application of the platform does: register, get a token, ask for statistics."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from ..curl import Answer, CurlError, Request
from ..runner import Walk
from ..token import payload

GATEWAY = os.environ.get("HALLPASS_DEMO_GATEWAY", "http://127.0.0.1:10000")
AUTH = os.environ.get("HALLPASS_DEMO_AUTH", "http://127.0.0.1:9100")
STATS = f"{GATEWAY}/stats/v1"
AUDIENCE = "https://api.example.com"


@dataclass(frozen=True)
class Application:
    """A registered application."""

    client_id: str
    client_secret: str

    @property
    def user(self) -> str:
        """Its credentials for Basic."""
        return f"{self.client_id}:{self.client_secret}"


def register(walk: Walk, name: str, tier: str, schools: list[str]) -> Application:
    """Registers an application at the authorization server."""
    data = {"name": name, "tier": tier, "schools": schools}
    answer = walk.send(Request(f"{AUTH}/applications", data=data))
    walk.check("status", answer.status, 201)
    return Application(_text(answer, "client_id"), _text(answer, "client_secret"))


def change(walk: Walk, application: Application, **data: Any) -> None:
    """Changes the tier or the schools of an application."""
    url = f"{AUTH}/applications/{application.client_id}"
    answer = walk.send(Request(url, method="PATCH", user=application.user, data=data))
    walk.check("status", answer.status, 200)


def get_token(walk: Walk, application: Application, variable: str) -> Answer:
    """Exchanges the secret for a token, which the variable holds from now on."""
    data = {
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "audience": AUDIENCE,
        "grant_type": "client_credentials",
    }
    answer = walk.send(Request(f"{GATEWAY}/oauth/token", data=data))
    walk.check_answer(answer, 200)
    walk.keep(variable, _text(answer, "access_token"))
    walk.say(f"the token says {json.dumps(payload(walk.variables[variable]))}")
    return answer


def mint(walk: Walk, variable: str, claims: dict[str, Any]) -> None:
    """Has the development server sign any claims."""
    answer = walk.send(Request(f"{AUTH}/dev/tokens", data={"claims": claims}))
    walk.keep(variable, _text(answer, "access_token"))


def get(path: str, token: str | None = None, headers: tuple[str, ...] = ()) -> Request:
    """A request for statistics through the gateway."""
    return Request(f"{STATS}{path}", bearer=token, headers=headers)


def statuses(path: str, token: str, *options: str) -> Request:
    """Many such requests, of which only the statuses are shown; the path holds a range for curl."""
    return Request(f"{STATS}{path}", bearer=token, options=("-s", *options, "-o", "/dev/null", "-w", r"%{http_code}\n"))


def count(walk: Walk, name: str) -> int:
    """One of the development server's counters."""
    value = walk.send(Request(f"{AUTH}/dev/stats")).member(name)
    return value if isinstance(value, int) else -1


def _text(answer: Answer, name: str) -> str:
    value = answer.member(name)
    if not isinstance(value, str):
        raise CurlError(f"no `{name}` in the answer, so that the walk cannot go on")
    return value
