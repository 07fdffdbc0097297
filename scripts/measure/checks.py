"""That every Envoy does its work, before it is measured: a filter that is off would be the fastest."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, replace

from .envoy import BenchError, Envoy
from .rounds import Load

READY_TIMEOUT_S = 20.0


@dataclass
class Wanted:
    """Headers that an upstream must see, headers of the answer, and what must be refused."""

    echoed: dict[str, str]
    answered: tuple[str, ...] = ()
    judges_tokens: bool = True
    judges_scope: bool = False
    judges_keys: bool = False


def check(envoy: Envoy, load: Load, wanted: Wanted) -> None:
    """Sends the first request of the load and a few that must be refused."""
    with load.file.open() as file:
        credentials = _credentials(file.readline().split())
    answer = ready(envoy, load.method, load.path, credentials, load.body)
    for name, value in wanted.echoed.items():
        _equal(envoy, f"x-claim-{name} at the upstream", answer.headers.get(f"x-echo-{name}"), value)
    for name in wanted.answered:
        _equal(envoy, f"{name} of the answer", name in answer.headers, True)
    if wanted.judges_tokens:
        _refused(envoy, load, {**credentials, "Authorization": _spoilt(credentials["Authorization"])}, 401)
    if wanted.judges_keys:
        _refused(envoy, load, {**credentials, "x-api-key": "0" * 64}, 401, 403)
    if wanted.judges_scope:
        _refused(envoy, _out_of_scope(load), credentials, 403)


def ready(
    envoy: Envoy, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> http.client.HTTPResponse:
    """Waits for keys on their way; the first answer that needs them must be 200."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while (answer := envoy.ask(method, path, headers, body)).status == 503:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    _equal(envoy, "status", answer.status, 200)
    return answer


def _out_of_scope(load: Load) -> Load:
    if load.body is None:
        return replace(load, path=load.path.split("?")[0] + "?school_id=99999999")
    return replace(load, body=json.dumps({**json.loads(load.body), "districtlea": "9999999"}))


def _credentials(words: list[str]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {words[-1]}"}
    if len(words) == 2:
        headers |= {"x-api-key": words[0], "Content-Type": "application/json"}
    return headers


def _spoilt(authorization: str) -> str:
    # In the middle of the signature: its last character may hold stray bits only.
    at = len(authorization) - 20
    return authorization[:at] + ("A" if authorization[at] != "A" else "B") + authorization[at + 1 :]


def _refused(envoy: Envoy, load: Load, headers: dict[str, str], *statuses: int) -> None:
    got = envoy.ask(load.method, load.path, headers, load.body).status
    if got not in statuses:
        raise BenchError(f"Envoy `{envoy.name}`: a request that must be refused got {got}\n{envoy.log_tail()}")


def _equal(envoy: Envoy, what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise BenchError(f"Envoy `{envoy.name}`: {what} (expected {wanted!r}, got {got!r})\n{envoy.log_tail()}")
