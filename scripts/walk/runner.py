"""The walk itself: prints what is sent and answered, checks it, and keeps the score."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from .curl import Answer, CurlError, Request, parse, run
from .expect import Expectation, equals

HEADERS_SHOWN = (
    "x-request-id",
    "www-authenticate",
    "retry-after",
    "deprecation",
    "sunset",
    "link",
    "ratelimit-policy",
    "ratelimit",
)
BODY_CHARS_SHOWN = 300
# A log line may take as long as the flush of Envoy's access log and, in containers, of the engine's log.
LOG_WAIT_S = 5.0
POLL_S = 0.02
# The gateway fetches its lists of keys, tokens and revocations every second; the rest is for a loaded machine.
REFRESH_S = 1.0
REFRESH_MAX_S = 10.0
# A worker looks for a new list every half second, each at its own time; every request meets any of them.
SETTLED_S = 0.7
REFRESH_POLL_S = 0.05


class Walk:
    """One walk. Nothing stops at a wrong answer, so that one run shows all that is wrong."""

    def __init__(self, logs: dict[str, Path], out: TextIO = sys.stdout) -> None:
        self.variables: dict[str, str] = {}
        self.failures: list[str] = []
        self.checks = 0
        self.requests = 0
        self._logs = logs
        self._out = out
        self._colour = out.isatty()
        self._title = ""
        self._steps = 0

    # What is said

    def step(self, title: str, *lines: str) -> None:
        """Begins a step: its title, and why it matters."""
        self._steps += 1
        self._title = f"{self._steps}. {title}"
        self._print()
        self._print(self._title, "1")
        for line in lines:
            self._print(f"   {line}")

    def say(self, text: str) -> None:
        """One line that is neither request nor answer."""
        self._print(f"  {text}", "2")

    def keep(self, name: str, value: str) -> None:
        """Makes a shell variable for the commands that follow."""
        self.variables[name] = value
        self._print(f"  $ {name}={shlex.quote(value)}", "2")

    # What is sent

    def send(self, request: Request) -> Answer:
        """Prints the request, sends it, prints the answer."""
        output = self._run(request.command())
        self.requests += 1
        answer = parse(output)
        self._print(f"  < {answer.status_line}", "33")
        for name in HEADERS_SHOWN:
            if name in answer.headers:
                self._print(f"  < {name}: {answer.headers[name]}", "33")
        if answer.body.strip():
            self._print(f"  < {_body_shown(answer.body.strip())}", "33")
        return answer

    def send_many(self, request: Request) -> Counter[int]:
        """Sends what a URL with a range asks for, and counts the statuses."""
        statuses = Counter(int(status) for status in self._run(request.command()).split())
        self.requests += sum(statuses.values())
        self._print("  < " + ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items())), "33")
        return statuses

    def send_silently(self, request: Request) -> int:
        """Sends without a word, for what runs in the background; 0 is no answer at all."""
        try:
            return int(run(request.command(), self.variables))
        except CurlError:
            return 0

    def send_quietly(self, request: Request) -> Answer:
        """Sends without a word, for what is asked over and over."""
        return parse(run(request.command(), self.variables))

    def show_command(self, request: Request) -> None:
        """Prints a command that runs in the background."""
        self._print("  $ " + request.command().replace("\n", "\n  "), "36")

    # What is checked

    def check(self, what: str, got: Any, wanted: Any) -> bool:
        """Prints a tick, or a cross with what was expected; `wanted` is a value or an Expectation."""
        expectation = wanted if isinstance(wanted, Expectation) else equals(wanted)
        self.checks += 1
        if expectation.holds(got):
            self._print(f"  \u2713 {what}: {_short(got)}", "32")
            return True
        self.failures.append(f"{self._title}: {what} (expected {expectation.text}, got {got!r})")
        self._print(f"  \u2717 {what}: expected {expectation.text}, got {got!r}", "31")
        return False

    def check_answer(self, answer: Answer, status: int, **headers: Any) -> None:
        """Checks the status, that there is a request id, and the named headers (`retry_after=...`)."""
        self.check("status", answer.status, status)
        self.check("X-Request-Id", "present" if answer.headers.get("x-request-id") else None, "present")
        for name, wanted in headers.items():
            name = name.replace("_", "-")
            self.check("-".join(part.capitalize() for part in name.split("-")), answer.headers.get(name), wanted)

    def check_refreshed(self, asked: Request, status: int) -> None:
        """Asks until every worker of the gateway gives this status, which they must within a refresh and a tick."""
        self.say(f"the gateway fetches its lists every {REFRESH_S:.0f} s: over and over, until the answer stays {status}:")
        self.show_command(asked)
        started = time.monotonic()
        got, since = 0, None
        while time.monotonic() - started < REFRESH_MAX_S:
            got = self.send_silently(asked)
            since = (since or time.monotonic()) if got == status else None
            if since and time.monotonic() - since > SETTLED_S:
                break
            time.sleep(REFRESH_POLL_S)
        self.check(f"status (the first after {(since or time.monotonic()) - started:.1f} s)", got, status)

    def log_line(self, log: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line of a log that fits, printed; an empty one if none comes in time."""
        deadline = time.monotonic() + LOG_WAIT_S
        while time.monotonic() < deadline:
            for line in self._logs[log].read_text(errors="replace").splitlines():
                found = _json_object(line)
                if found and fits(found):
                    self._print(f"  {log} log: {json.dumps(found)}", "33")
                    return found
            time.sleep(POLL_S)
        return {}

    def _run(self, command: str) -> str:
        self._print("  $ " + command.replace("\n", "\n  "), "36")
        return run(command, self.variables)

    def _print(self, text: str = "", colour: str = "") -> None:
        styled = f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text
        print(styled, file=self._out, flush=True)


def _body_shown(body: str) -> str:
    # A token is shown in full where it becomes a variable.
    body = re.sub(r"(eyJ[\w-]{20})[\w.-]+", r"\1...", body)
    return body if len(body) <= BODY_CHARS_SHOWN else f"{body[:BODY_CHARS_SHOWN]}... ({len(body)} characters)"


def _short(value: Any) -> str:
    return "none" if value is None else str(value)


def _json_object(line: str) -> dict[str, Any] | None:
    """The JSON object of a log line; container engines may put a name in front."""
    start = line.find("{")
    if start < 0:
        return None
    try:
        value = json.loads(line[start:])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
