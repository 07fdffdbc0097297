"""What a walk is made of: steps of cases, each a request and what its answer must be.

`$NAME` in a URL, header, body or wanted value is what an earlier case kept under that name. `wants` maps where a value
stands to what it must be (a value, an `Expectation`, or None for absent). It stands

    retry-after           in a header of the answer
    ratelimit day r       in a parameter of a policy, in the header RateLimit
    .schools[].id         in the JSON of the body
    $TOKEN.tier           in the claims of a token
"""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from .curl import Answer, Request
from .expect import between, find
from .runner import Invariant, Walk

GATEWAY = os.environ.get("HALLPASS_DEMO_GATEWAY", "http://127.0.0.1:10000")
ADMIN = os.environ.get("HALLPASS_DEMO_ADMIN", "http://127.0.0.1:9901")
AUTH = os.environ.get("HALLPASS_DEMO_AUTH", "http://127.0.0.1:9100")

# The gateway fetches its lists of keys, tokens and revocations every second; the rest is for a loaded machine.
REFRESH_S = 1.0
REFRESH_MAX_S = 10.0
# A worker looks for a new list every half second, each at its own time; every request meets any of them.
SETTLED_S = 0.7
POLL_S = 0.05
REQUEST_ID = Invariant("X-Request-Id", lambda _: True, lambda answer: bool(answer.headers.get("x-request-id")))


class Case(Protocol):
    """One thing that a step does."""

    def play(self, walk: Walk) -> None:
        """Does it, and checks what came."""


class Step:
    """A title, why it matters, and cases."""

    def __init__(self, title: str, why: str, *cases: Case) -> None:
        self.title, self.why, self.cases = title, why, cases


@dataclass(frozen=True)
class Ask:
    """One request. A folded one is told in a line: it prepares what a step is about."""

    url: str
    status: int
    wants: dict[str, Any] = field(default_factory=dict)
    method: str | None = None
    # Names of variables.
    token: str | None = None
    key: str | None = None
    headers: tuple[str, ...] = ()
    # JSON, or what makes it from the variables.
    data: Any = None
    user: str | None = None
    body_from: str | None = None
    # Variables to keep, and where their values stand in the body.
    keep: dict[str, str] = field(default_factory=dict)
    folded: bool = False
    # A few words, where a step has several cases.
    about: str = ""

    def request(self, walk: Walk) -> Request:
        """What is sent."""
        credentials = []
        if self.token:
            credentials.append(f"Authorization: Bearer ${self.token}")
        if self.key:
            credentials.append(f"x-api-key: ${self.key}")
        data = walk.filled(self.data(walk) if callable(self.data) else self.data)
        return Request(self.url, self.method, (*credentials, *self.headers), data, self.user, self.body_from)

    def shown(self, wants: dict[str, Any]) -> Ask:
        """What was folded, in full."""
        return replace(self, folded=False, wants=wants)

    def play(self, walk: Walk) -> None:
        request = self.request(walk)
        if self.about:
            walk.say(f"{self.about}:")
        if not self.folded:
            walk.show_command(request.command())
        self.judge(walk, request, walk.send(request))

    def judge(self, walk: Walk, request: Request, answer: Answer) -> None:
        """Shows the answer and checks it."""
        if answer.status == self.status:
            for name, path in self.keep.items():
                walk.keep(name, find(path, answer.json()))
        if self.folded:
            walk.say(f"\u00b7 {self.method or 'POST'} {walk.filled(self.url)}: {answer.status}")
        else:
            walk.show_answer(answer)
            for name in self.keep:
                if walk.variables.get(name, "").startswith("eyJ"):
                    walk.say(f"${name} says {json.dumps(walk.claims(name))}")
        held = not self.url.startswith(GATEWAY) or walk.check_invariants(answer)
        found = {where: (_value(walk, answer, where), wanted) for where, wanted in self.wants.items()}
        right = walk.check_all({"status": (answer.status, self.status), **found}, quiet=self.folded)
        if self.folded and not (held and right):
            walk.show_command(request.command())
            walk.show_answer(answer)


def _value(walk: Walk, answer: Answer, where: str) -> Any:
    if where.startswith("."):
        return find(where, answer.json())
    if where.startswith("$"):
        name, dot, rest = where[1:].partition(".")
        return find(dot + rest, walk.claims(name))
    if where.startswith("ratelimit "):
        _, policy, parameter = where.split(" ")
        return answer.rate_limit(policy, parameter)
    return answer.headers.get(where)


@dataclass(frozen=True)
class Burst:
    """A bucket that is full: it admits `size` at once, with this status, and refuses with 429 what is more."""

    status: int
    size: int
    per_second: float


@dataclass(frozen=True)
class Many:
    """The same request many times: how many answers of each status must come."""

    ask: Ask
    times: int
    wanted: dict[int, int] | Burst
    parallel: bool = False

    def play(self, walk: Walk) -> None:
        request = self.ask.request(walk)
        walk.show_command(request.statuses(self.times, self.parallel))
        started = time.monotonic()
        counts = walk.send_many(request, self.times, self.parallel)
        refilled = time.monotonic() - started
        walk.show_counts(counts)
        if isinstance(self.wanted, dict):
            walk.check("answers", dict(counts), self.wanted)
            return
        size, admitted = self.wanted.size, counts[self.wanted.status]
        most = size + math.ceil(refilled * self.wanted.per_second)
        rows = {"admitted": (admitted, between(size, most)), "refused": (counts[429], self.times - admitted)}
        walk.check_all(rows)


@dataclass(frozen=True)
class UsedUp:
    """A bucket that must refuse the last of so many requests; in one command, since the next would find it refilled."""

    ask: Ask
    times: int

    def play(self, walk: Walk) -> None:
        request = self.ask.request(walk).repeated(self.times)
        walk.say(f"the last of {self.times}{', ' + self.ask.about if self.ask.about else ''}:")
        walk.show_command(request.command())
        self.ask.judge(walk, request, walk.send(request))


@dataclass(frozen=True)
class Wait:
    """A request over and over, until every worker of the gateway gives this status; within a refresh and a tick."""

    ask: Ask

    def play(self, walk: Walk) -> None:
        request = self.ask.request(walk)
        walk.say(f"the gateway fetches its lists every {REFRESH_S:.0f} s: until the answer stays {self.ask.status}:")
        walk.show_command(request.statuses())
        started = time.monotonic()
        got, since = 0, None
        while time.monotonic() - started < REFRESH_MAX_S:
            got = walk.send_apart(request)
            since = (since or time.monotonic()) if got == self.ask.status else None
            if since and time.monotonic() - since > SETTLED_S:
                break
            time.sleep(POLL_S)
        walk.check(f"after {(since or time.monotonic()) - started:.1f} s status", got, self.ask.status)


@dataclass(frozen=True)
class Logged:
    """A line of a log (`access` of the gateway, `upstream` of the API); that of the last answer unless `where` says which."""

    log: str
    wants: dict[str, Any]
    where: dict[str, Any] | None = None
    # What must not stand in it.
    never: tuple[str, ...] = ()

    def play(self, walk: Walk) -> None:
        line = walk.log_line(self.log, self.where or {"request_id": walk.request_id})
        walk.check_all({f"{name} in the {self.log} log": (line.get(name), it) for name, it in self.wants.items()})
        if self.never:
            text = " ".join(str(value) for value in line.values())
            walk.check("secrets and ids in it", [it for it in self.never if walk.filled(it) in text], [])


class Counted:
    """Cases during which a counter of the development server must grow by this much."""

    def __init__(self, counter: str, wanted: int, *cases: Case) -> None:
        self._counter, self._wanted, self._cases = counter, wanted, cases

    def play(self, walk: Walk) -> None:
        before = self._read(walk)
        for case in self._cases:
            case.play(walk)
        walk.check(f"{self._counter} meanwhile", self._read(walk) - before, self._wanted)

    def _read(self, walk: Walk) -> int:
        return int(find(f".{self._counter}", walk.send(Request(f"{AUTH}/dev/stats")).json()))


@dataclass(frozen=True)
class Arrived:
    """A request, and what the API got of it: all its `X-Claim-...` headers, however they are spelled, and no API key."""

    ask: Ask
    wanted: dict[str, str]

    def play(self, walk: Walk) -> None:
        Ask(f"{AUTH}/dev/requests", 204, method="DELETE", folded=True).play(walk)
        self.ask.play(walk)
        record = walk.send(Request(f"{AUTH}/dev/requests"))
        pairs = find(".requests[-1].headers", record.json()) or []
        arrived = sorted([name.replace(".", "-").replace("_", "-"), value] for name, value in pairs)
        claims = [pair for pair in arrived if pair[0].startswith("x-claim-")]
        walk.check("claims that arrived", claims, sorted([name, value] for name, value in self.wanted.items()))
        walk.check("keys that arrived", [value for name, value in arrived if name == "x-api-key"], [])


@dataclass(frozen=True)
class Keep:
    """A variable that a case needs."""

    name: str
    value: str | Callable[[Walk], str]

    def play(self, walk: Walk) -> None:
        walk.keep(self.name, self.value if isinstance(self.value, str) else self.value(walk))


@dataclass(frozen=True)
class Check:
    """Something that the variables must say."""

    what: str
    got: Callable[[Walk], Any]
    wanted: Any

    def play(self, walk: Walk) -> None:
        walk.check(self.what, self.got(walk), self.wanted)


@dataclass(frozen=True)
class Do:
    """What no other case can say."""

    action: Callable[[Walk], None]

    def play(self, walk: Walk) -> None:
        self.action(walk)


def fresh(name: str) -> str:
    """A name that no earlier walk has taken."""
    return f"{name}-{secrets.token_hex(3)}"


def in_seconds(seconds: float) -> int:
    """Seconds since 1970, some from now."""
    return int(time.time() + seconds)


def seconds_to_midnight() -> float:
    """Until the next midnight UTC, when day quotas start anew."""
    return 86400 - time.time() % 86400
