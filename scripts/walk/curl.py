"""Requests as curl commands: what is printed is what runs, through a shell.

Tokens are long, so a command names them as shell variables, which the walk hands to the shell.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, replace
from typing import Any

# Beyond what any command takes, also on a loaded machine; a request that hangs must not hang the walk.
TIMEOUT_S = 60
# Printed commands break before an option once they are longer.
LINE_CHARS = 110


class CurlError(Exception):
    """curl got no answer, or none that the walk can go on with."""


@dataclass(frozen=True)
class Answer:
    """One response. Header names are in lower case; a header that came twice is joined with a comma."""

    status_line: str
    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def rate_limit(self, policy: str, parameter: str) -> int | None:
        """A parameter of one policy in `RateLimit`, as in `"day";r=812;t=40217`."""
        item = re.search(rf'"{re.escape(policy)}"([^,]*)', self.headers.get("ratelimit", ""))
        found = re.search(rf";{parameter}=(\d+)", item.group(1)) if item else None
        return int(found.group(1)) if found else None


@dataclass(frozen=True)
class Request:
    """What a command asks for. `$NAME` in a header, the user or the URL is a shell variable."""

    url: str
    method: str | None = None
    headers: tuple[str, ...] = ()
    # JSON; None is no body.
    data: Any = None
    # Credentials for Basic.
    user: str | None = None
    # A command whose output is the body, byte for byte.
    body_from: str | None = None

    def command(self, options: str = "-si") -> str:
        """The command as text for a shell."""
        parts = [f"curl {options}"]
        if self.method:
            parts.append(f"-X {self.method}")
        if self.user:
            parts.append(f"-u {_quoted(self.user)}")
        parts += [f"-H {_quoted(header)}" for header in self.headers]
        if self.data is not None:
            parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(self.data))}"]
        if self.body_from:
            parts[0] = f"{self.body_from} | {parts[0]}"
            parts.append("--data-binary @-")
        parts.append(_quoted(self.url))
        line = " ".join(parts)
        return line if len(line) <= LINE_CHARS else " \\\n    ".join(parts)

    def repeated(self, times: int) -> Request:
        """The same request many times in one command."""
        joint = "&" if "?" in self.url else "?"
        return replace(self, url=f"{self.url}{joint}n=[1-{times}]")

    def statuses(self, times: int = 1, parallel: bool = False) -> str:
        """A command that sends it many times and prints the statuses."""
        return self.repeated(times).command(f"-s{'Z' if parallel else ''} -o /dev/null -w '%{{http_code}}\\n'")


def run(command: str, variables: dict[str, str]) -> str:
    """Runs the command in a shell and returns what it wrote.

    Raises CurlError when it fails or takes too long.
    """
    # Neither a ~/.curlrc nor a proxy of the machine may change what is asked.
    nowhere = {name: os.devnull for name in ("HOME", "CURL_HOME", "XDG_CONFIG_HOME")}
    environment = {**os.environ, **nowhere, **variables, "NO_PROXY": "*", "no_proxy": "*"}
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CurlError(f"no answer within {TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise CurlError(f"curl ended with {done.returncode} {done.stderr.decode(errors='replace').strip()}".strip())
    return done.stdout.decode(errors="replace")


def parse(output: str) -> list[Answer]:
    """Reads what `curl -i` wrote, of one request or several."""
    # A body need not end with a line.
    answers = re.split(r"(?=HTTP/1\.1 \d{3} )", output.replace("\r\n", "\n"))[1:]
    if not answers:
        raise CurlError("the answer has no status line")
    return [_answer(answer) for answer in answers]


def _answer(text: str) -> Answer:
    head, _, body = text.partition("\n\n")
    status_line, *lines = head.split("\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Answer(status_line, int(status_line.split()[1]), headers, body)


def _quoted(text: str) -> str:
    # Only what has a variable is expanded.
    return f'"{text}"' if "$" in text else shlex.quote(text)
