"""The walk itself: prints what is sent and answered, checks it, and keeps the score."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import token
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
LINE_CHARS = 116
# A tick shows so much of a value.
VALUE_CHARS_SHOWN = 40
# The value of a variable that is longer is shown by its name.
VARIABLE_CHARS_SHOWN = 24
# A log line may take as long as the flush of Envoy's access log and, in containers, of the engine's log.
LOG_WAIT_S = 5.0
POLL_S = 0.02


@dataclass(frozen=True)
class Invariant:
    """What holds for every answer of the gateway that it applies to: checked each time, told once, at the end."""

    text: str
    applies: Callable[[Answer], bool]
    holds: Callable[[Answer], bool]


@dataclass
class Score:
    """What a step has shown: how many answers of each status, and how many checks."""

    title: str
    statuses: Counter[int] = field(default_factory=Counter)
    checks: int = 0
    failures: list[str] = field(default_factory=list)


class Walk:
    """One walk. Nothing stops at a wrong answer, so that one run shows all that is wrong."""

    def __init__(self, logs: dict[str, Path], invariants: Sequence[Invariant]) -> None:
        self.variables: dict[str, str] = {}
        self.scores: list[Score] = []
        # Of the last answer of the gateway.
        self.request_id: str | None = None
        self._invariants = Counter({invariant: 0 for invariant in invariants})
        self._logs = logs
        self._colour = sys.stdout.isatty()

    # What is said

    def step(self, title: str, why: str) -> None:
        """Begins a step: its title, and why it matters."""
        self.scores.append(Score(f"{len(self.scores) + 1}. {title}"))
        self._print()
        self._print(self.scores[-1].title, "1")
        for line in textwrap.wrap(why, LINE_CHARS):
            self._print(f"   {line}")

    def say(self, text: str) -> None:
        """One line that is neither request nor answer."""
        self._print(f"  {text}", "2")

    def keep(self, name: str, value: Any) -> None:
        """Makes a shell variable for the commands that follow."""
        if not isinstance(value, str):
            raise CurlError(f"there is nothing to keep as ${name}, so that the walk cannot go on")
        self.variables[name] = value

    def show_command(self, command: str) -> None:
        """Prints a command."""
        self._print("  $ " + command.replace("\n", "\n  "), "36")

    def show_answer(self, answer: Answer) -> None:
        """Prints an answer, tokens by name."""
        shown = [f"{name}: {answer.headers[name]}" for name in HEADERS_SHOWN if name in answer.headers]
        body = self._masked(answer.body.strip())
        if len(body) > BODY_CHARS_SHOWN:
            body = f"{body[:BODY_CHARS_SHOWN]}... ({len(body)} characters)"
        for line in [answer.status_line, *shown, *([body] if body else [])]:
            self._print(f"  < {line}", "33")

    def show_counts(self, counts: Counter[int]) -> None:
        """Prints how many answers of each status came."""
        self._print("  < " + _counted(counts), "33")

    # What is sent

    def send(self, request: Request) -> Answer:
        """Sends a request without a word; if its URL asks for several, the last answer is the one."""
        answers = parse(run(request.command(), self.variables))
        self.scores[-1].statuses.update(answer.status for answer in answers)
        return answers[-1]

    def send_many(self, request: Request, times: int = 1, parallel: bool = False) -> Counter[int]:
        """Sends a request many times without a word, and counts the statuses."""
        counts = Counter(int(status) for status in run(request.statuses(times, parallel), self.variables).split())
        self.scores[-1].statuses += counts
        return counts

    def send_apart(self, request: Request) -> int:
        """Sends one request that no score counts, for what is asked over and over; 0 is no answer at all."""
        try:
            return int(run(request.statuses(), self.variables))
        except CurlError:
            return 0

    # What is checked

    def check(self, what: str, got: Any, wanted: Any) -> None:
        """One check by itself."""
        self.check_all({what: (got, wanted)})

    def check_all(self, rows: dict[str, tuple[Any, Any]], quiet: bool = False) -> bool:
        """Prints one tick for all that is right (unless `quiet`), and a cross for each that is not.

        What is wanted may be an Expectation. Says whether all was right.
        """
        right: list[str] = []
        wrong: list[str] = []
        for what, (got, wanted) in rows.items():
            wanted = self.filled(wanted)
            expectation = wanted if isinstance(wanted, Expectation) else equals(wanted)
            if expectation.holds(got):
                right.append(f"{what} {self._short(got)}")
            else:
                wrong.append(f"{what}: expected {expectation.text}, got {got!r}")
        self.scores[-1].checks += len(rows)
        if right and not quiet:
            for line in textwrap.wrap("\u2713 " + ", ".join(right), LINE_CHARS, break_on_hyphens=False):
                self._print(f"  {line}", "32")
        for text in wrong:
            self.scores[-1].failures.append(text)
            self._print(f"  \u2717 {text}", "31")
        return not wrong

    def check_invariants(self, answer: Answer) -> bool:
        """Checks what holds for every answer of the gateway; a word only if it does not."""
        self.request_id = answer.headers.get("x-request-id")
        held = True
        for invariant in self._invariants:
            if not invariant.applies(answer):
                continue
            self._invariants[invariant] += 1
            self.scores[-1].checks += 1
            if not invariant.holds(answer):
                held = False
                self.scores[-1].failures.append(invariant.text)
                self._print(f"  \u2717 {invariant.text}", "31")
        return held

    def log_line(self, log: str, where: dict[str, Any]) -> dict[str, Any]:
        """The first line of a log with these members, printed; an empty one if none comes in time."""
        deadline = time.monotonic() + LOG_WAIT_S
        while time.monotonic() < deadline:
            for text in self._logs[log].read_text(errors="replace").splitlines():
                line = _json_object(text)
                if all(line.get(name) == value for name, value in where.items()):
                    self._print(f"  {log} log: {json.dumps(line)}", "33")
                    return line
            time.sleep(POLL_S)
        return {}

    # What is known

    def filled(self, value: Any) -> Any:
        """The value with `$NAME` in its texts replaced, as a shell does it."""
        if isinstance(value, str):
            return re.sub(r"\$([A-Z_]+)", lambda name: self.variables.get(name[1], name[0]), value)
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if isinstance(value, dict):
            return {name: self.filled(item) for name, item in value.items()}
        return value

    def claims(self, variable: str) -> dict[str, Any]:
        """What a token says."""
        return token.payload(self.variables[variable])

    # How it ends

    def finish(self, seconds: float) -> bool:
        """Prints a table of what was shown, and the result; says whether all was right."""
        failures = [f"{score.title}: {text}" for score in self.scores for text in score.failures]
        checks = sum(score.checks for score in self.scores)
        width = max(len(score.title) for score in self.scores)
        self._print()
        self._print(f"{'shown':{width}}  checks  answers", "1")
        for score in self.scores:
            mark = "\u2717" if score.failures else "\u2713"
            self._print(f"{score.title:{width}}  {mark} {score.checks:4}  {_counted(score.statuses)}")
        self._print()
        for invariant, count in self._invariants.items():
            self._print(f"checked on {count} answers: {invariant.text}")
        requests = sum(sum(score.statuses.values()) for score in self.scores)
        if failures:
            self._print(f"{len(failures)} of {checks} checks failed:")
            for failure in failures:
                self._print(f"  \u2717 {failure}", "31")
            return False
        self._print(f"\u2713 All {checks} checks of {requests} requests were right, in {seconds:.1f} s.", "32")
        return True

    def _short(self, value: Any) -> str:
        text = "none" if value is None else self._masked(str(value))
        return text if len(text) <= VALUE_CHARS_SHOWN else f"{text[:VALUE_CHARS_SHOWN]}..."

    def _masked(self, text: str) -> str:
        long = {name: value for name, value in self.variables.items() if len(value) > VARIABLE_CHARS_SHOWN}
        for name, value in long.items():
            text = text.replace(value, f"${name}")
        # Tokens that no variable holds yet.
        return re.sub(r"(eyJ[\w-]{8})[\w.-]{40,}", r"\1...", text)

    def _print(self, text: str = "", colour: str = "") -> None:
        styled = f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text
        print(styled, flush=True)


def _counted(counts: Counter[int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))


def _json_object(line: str) -> dict[str, Any]:
    """The JSON object of a log line; container engines may put a name in front."""
    try:
        value = json.loads(line[max(line.find("{"), 0) :])
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
