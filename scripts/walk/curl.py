"""Requests as curl commands: what is printed is what runs, through a shell, so that it can be pasted.

Tokens are long, so a command names them as shell variables, which the walk prints once and hands to the shell.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import Any

# Beyond what the gateway takes for anything; a request that hangs must not hang the walk.
TIMEOUT_S = 20
# Printed commands break before an option once they are longer.
LINE_CHARS = 110


class CurlError(Exception):
    """curl got no answer."""


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

    def member(self, name: str) -> Any:
        """A member of the JSON object in the body, or None."""
        value = self.json()
        return value.get(name) if isinstance(value, dict) else None

    def quota(self, policy: str, parameter: str, header: str = "ratelimit") -> int | None:
        """A parameter of one policy in `RateLimit` or `RateLimit-Policy`, as in `"day";r=812;t=40217`."""
        item = re.search(rf'"{re.escape(policy)}"([^,]*)', self.headers.get(header, ""))
        found = re.search(rf";{parameter}=(\d+)", item.group(1)) if item else None
        return int(found.group(1)) if found else None


@dataclass(frozen=True)
class Request:
    """What a command asks for."""

    url: str
    method: str | None = None
    # The name of the shell variable that holds the token.
    bearer: str | None = None
    # The name of the shell variable that holds the API key.
    key: str | None = None
    headers: tuple[str, ...] = ()
    data: dict[str, Any] | None = None
    # Credentials of the application, for Basic.
    user: str | None = None
    # A command whose output is the body, byte for byte.
    body_from: str | None = None
    options: tuple[str, ...] = field(default=("-si",))

    def command(self) -> str:
        """The command as text for a shell."""
        parts = [" ".join(["curl", *(shlex.quote(option) for option in self.options)])]
        if self.method:
            parts.append(f"-X {self.method}")
        if self.user:
            parts.append(f"-u {shlex.quote(self.user)}")
        if self.bearer:
            parts.append(f'-H "Authorization: Bearer ${self.bearer}"')
        if self.key:
            parts.append(f'-H "x-api-key: ${self.key}"')
        parts += [f"-H {shlex.quote(header)}" for header in self.headers]
        if self.data is not None:
            parts.append("-H 'Content-Type: application/json'")
            parts.append(f"-d {shlex.quote(json.dumps(self.data))}")
        if self.body_from:
            parts[0] = f"{self.body_from} | {parts[0]}"
            parts.append("--data-binary @-")
        parts.append(shlex.quote(self.url))
        line = " ".join(parts)
        return line if len(line) <= LINE_CHARS else " \\\n    ".join(parts)


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


def parse(output: str) -> Answer:
    """Reads what `curl -i` wrote."""
    head, _, body = output.replace("\r\n", "\n").partition("\n\n")
    status_line, *lines = head.split("\n")
    fields = status_line.split()
    if len(fields) < 2 or not fields[1].isdigit():
        raise CurlError("the answer has no status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Answer(status_line, int(fields[1]), headers, body)
