"""What a request may name in its body, and how the body must be written."""

from __future__ import annotations

import json

from ..curl import Answer, Request
from ..expect import absent
from ..runner import Walk
from .client import (
    DISTRICT,
    DISTRICT_SCHOOLS,
    OTHER_DISTRICT,
    OTHER_DISTRICT_SCHOOLS,
    STUDENTS,
    ask,
    check_refused,
    check_students,
    count,
)

# As in envoy/student-data-api.yaml.
BODY_BYTES_MAX = 65536
JSON_TYPE = "Content-Type: application/json"


def in_and_out(walk: Walk) -> None:
    """Every district and school named must be granted."""
    mine, theirs = DISTRICT_SCHOOLS, OTHER_DISTRICT_SCHOOLS
    walk.step("Schools in scope", "One by its district, one by itself, several; as a text and as a list.")
    check_students(walk, walk.send(ask("KEY", "TOKEN", schoolleas=mine[0])), mine[0])
    check_students(walk, walk.send(ask("KEY", "TOKEN", schoolleas=[theirs[0]])), theirs[0])
    check_students(walk, walk.send(ask("KEY", "TOKEN", schoolleas=[mine[1], theirs[0]])), mine[1], theirs[0])

    walk.step("A district out of scope", "Refused by the gateway, though one of its schools is granted.")
    before = count(walk, "upstream_requests")
    answer = walk.send(ask("KEY", "TOKEN", limit=25, districtlea=OTHER_DISTRICT))
    check_refused(walk, answer, 403, "no-districtlea", x_envoy_upstream_service_time=absent())

    walk.step("A school out of scope", "By itself, and among others: every one must be granted.")
    check_refused(walk, walk.send(ask("KEY", "TOKEN", schoolleas=theirs[1])), 403, "no-privilege")
    answer = walk.send(ask("KEY", "TOKEN", districtlea=DISTRICT, schoolleas=[mine[0], theirs[1]]))
    check_refused(walk, answer, 403, "no-privilege")

    walk.step("No scope named", "Names at another depth are none.")
    check_refused(walk, walk.send(ask("KEY", "TOKEN", limit=25)), 403, "no-privilege")
    check_refused(walk, walk.send(ask("KEY", "TOKEN", filter={"districtlea": DISTRICT})), 403, "no-privilege")
    walk.check("requests that reached the API", count(walk, "upstream_requests") - before, 0)


def bodies(walk: Walk) -> None:
    """A body that two readers could read in two ways is read by none."""
    good = json.dumps({"districtlea": DISTRICT})
    walk.step("Another way to write it", "Escapes and spaces change nothing: the API gets the body byte for byte.")
    check_students(walk, _send(walk, r"""printf '%s' '{ "districtlea" : "\u0031503000" }'"""), *DISTRICT_SCHOOLS)

    before = count(walk, "upstream_requests")
    walk.step("A doubled member", "The first is granted, the second is not: readers differ in which one counts.")
    doubled = f'{{"districtlea": "{DISTRICT}", "districtlea": "{OTHER_DISTRICT}"}}'
    check_refused(walk, _send(walk, f"printf '%s' '{doubled}'"), 400, "bad-request")

    walk.step("A compressed body", "The gateway does not judge what it cannot read.")
    gzip = f"printf '%s' '{good}' | gzip"
    check_refused(walk, _send(walk, gzip, JSON_TYPE, "Content-Encoding: gzip"), 415, "bad-request")

    walk.step("Another content type", "Also when what is in it is JSON, and in another charset.")
    check_refused(walk, _send(walk, f"printf '%s' '{good}'", "Content-Type: text/plain"), 415, "bad-request")
    check_refused(walk, _send(walk, f"printf '%s' '{good}'", f"{JSON_TYPE}; charset=utf-16"), 415, "bad-request")

    walk.step("A body over the cap", "With its length in the head, and in chunks, where only counting tells.")
    long = f"{{ printf '%s' '{good}'; head -c {BODY_BYTES_MAX} /dev/zero | tr '\\0' ' '; }}"
    check_refused(walk, _send(walk, long, JSON_TYPE), 413, "bad-request")
    check_refused(walk, _send(walk, long, JSON_TYPE, "Transfer-Encoding: chunked"), 413, "bad-request")

    walk.step("Broken bodies", "Nothing, half an object, more than one, a number where a text belongs.")
    for body in ("", '{"districtlea":', good + good, f'{{"districtlea": {DISTRICT}}}'):
        check_refused(walk, _send(walk, f"printf '%s' '{body}'"), 400, "bad-request")
    walk.check("requests that reached the API", count(walk, "upstream_requests") - before, 0)


def _send(walk: Walk, source: str, *headers: str) -> Answer:
    headers = headers or (JSON_TYPE,)
    return walk.send(Request(STUDENTS, key="KEY", bearer="TOKEN", headers=headers, body_from=source))
