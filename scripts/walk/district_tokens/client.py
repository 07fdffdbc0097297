"""What an application of the districts does: ask with a token, or with a key of old."""

from __future__ import annotations

import base64
import os
import secrets
from typing import Any

from ..curl import Answer, Request
from ..expect import matches
from ..runner import Walk

ADMIN = os.environ.get("HALLPASS_DEMO_ADMIN", "http://127.0.0.1:9901")
GATEWAY = os.environ.get("HALLPASS_DEMO_GATEWAY", "http://127.0.0.1:10000")
AUTH = os.environ.get("HALLPASS_DEMO_AUTH", "http://127.0.0.1:9100")
SCHOOLS = f"{GATEWAY}/districts/v1/schools"
# As in tests/dev-server/data/students.json.
DISTRICT = "1503000"
DISTRICT_SCHOOLS = ["15030001", "15030002"]
OTHER_DISTRICT = "1504000"
OTHER_DISTRICT_SCHOOLS = ["15040001", "15040002"]
# The keys of old, whose hashes stand in envoy/district-tokens.yaml.
OLD_KEY = "gradebook-old-key-for-development-only"
EXTENDED_KEY = "lesson-planner-old-key-for-development-only"
BEARER_CHALLENGE = matches(r'Bearer realm="[^"]+".*')


def students(district: str, **credential: Any) -> Request:
    """A request for the students of a district."""
    return Request(f"{GATEWAY}/districts/v1/{district}/students", **credential)


def students_of_school(school: str, **credential: Any) -> Request:
    """A request for the students of a school."""
    return Request(f"{GATEWAY}/districts/v1/students?school_id={school}", **credential)


def schools(**credential: Any) -> Request:
    """A request for the schools that the credential opens."""
    return Request(SCHOOLS, **credential)


def basic(key: str) -> str:
    """A key as the user of Basic."""
    return "Authorization: Basic " + base64.b64encode(f"{key}:".encode()).decode()


def statuses(request: Request, count: int) -> Request:
    """The same request many times, of which only the statuses are shown."""
    return Request(
        f"{request.url}?n=[1-{count}]",
        bearer=request.bearer,
        key=request.key,
        headers=request.headers,
        options=("-s", "-o", "/dev/null", "-w", r"%{http_code}\n"),
    )


def check_problem(walk: Walk, answer: Answer, status: int, code: str, **headers: Any) -> None:
    """A refusal as a problem of this type."""
    walk.check_answer(answer, status, **headers)
    kind = answer.member("type")
    walk.check("type", kind.rpartition("#")[2] if isinstance(kind, str) else kind, code)


def check_schools(walk: Walk, answer: Answer, *expected: str) -> None:
    """Exactly these schools."""
    walk.check_answer(answer, 200)
    walk.check("schools", sorted(school["id"] for school in answer.member("schools") or []), sorted(expected))


def check_students(walk: Walk, answer: Answer, *expected: str) -> None:
    """Students of exactly these schools."""
    walk.check_answer(answer, 200)
    rows = answer.member("students") or []
    walk.check("schools of the students", sorted({row["schoollea"] for row in rows}), sorted(expected))


def fresh_name(name: str) -> str:
    """A name that no earlier walk has taken."""
    return f"{name}-{secrets.token_hex(3)}"


def wait_for(walk: Walk, request: Request, status: int) -> None:
    """Asks until every worker of the gateway gives this status."""
    walk.check_refreshed(statuses(request, 1), status)


def metric(walk: Walk, name: str, *labels: str) -> int:
    """The sum of a counter's series that have all of these labels, as Prometheus reads it."""
    answer = walk.send_quietly(Request(f"{ADMIN}/stats/prometheus"))
    total = 0
    for line in answer.body.splitlines():
        if line.startswith(f"{name}{{") and all(label in line for label in labels):
            total += int(float(line.rsplit(" ", 1)[1]))
    return total
