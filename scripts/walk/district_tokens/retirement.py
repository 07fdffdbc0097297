"""The keys of old on their way out: before the announcement, after it, limited harder, refused."""

from __future__ import annotations

import time

from ..curl import Answer, Request
from ..expect import absent, between, matches
from ..runner import REFRESH_POLL_S, Walk
from . import client
from .client import (
    DISTRICT,
    DISTRICT_SCHOOLS,
    EXTENDED_KEY,
    OLD_KEY,
    OTHER_DISTRICT,
    OTHER_DISTRICT_SCHOOLS,
    basic,
    check_problem,
    check_schools,
    check_students,
)
from .schedule import Schedule, check_before, wait_until

# What the key of `gradebook` opens, by the configuration.
OPENED = [*DISTRICT_SCHOOLS, OTHER_DISTRICT_SCHOOLS[0]]
DOCUMENTATION = "https://districts.example.com/docs/district-tokens"
LINKS = (f'<{DOCUMENTATION}>; rel="deprecation"', f'<{DOCUMENTATION}>; rel="sunset"')
# The burst of the tier `retiring`.
RETIRING_BURST = 4
RETIRING_POLICY = f'"total";q=60;w=6, "retiring";q={RETIRING_BURST};w=20, "district";q=20;w=4'
METRIC = "hallpass_retirement_total"
METRIC_WAIT_S = 5.0


def before(walk: Walk, schedule: Schedule) -> None:
    """Nothing is said yet."""
    walk.keep("OLD_KEY", OLD_KEY)
    walk.keep("EXTENDED_KEY", EXTENDED_KEY)
    walk.step("Before the announcement", "The application-wide key opens what the configuration lists for it.")
    answer = walk.send(client.schools(key="OLD_KEY"))
    check_schools(walk, answer, *OPENED)
    for name in ("deprecation", "sunset"):
        walk.check(name.capitalize(), answer.headers.get(name), absent())
    walk.check("Link", answer.headers.get("link"), '</districts/v1/students>; rel="related"')
    check_before(walk, schedule.announced)


def announced(walk: Walk, schedule: Schedule) -> None:
    """From now on every answer tells, and nothing else changes."""
    wait_until(walk, schedule.announced)
    walk.step("Announced", "Every answer to an old key says since when it is deprecated, and when it ends.")
    answer = walk.send(client.schools(key="OLD_KEY"))
    check_schools(walk, answer, *OPENED)
    _check_notice(walk, answer, schedule.deprecation(), schedule.sunset())
    walk.check("the API's own link stays", 'rel="related"' in answer.headers.get("link", ""), True)

    walk.step("As the user of Basic", "The other place where old clients put the key. It never reaches the API.")
    answer = walk.send(client.schools(headers=(basic(OLD_KEY),)))
    check_schools(walk, answer, *OPENED)
    _check_notice(walk, answer, schedule.deprecation(), schedule.sunset())

    walk.step("A school that the key does not open", "The district is listed for the key, this school of it is not.")
    answer = walk.send(client.students_of_school(OTHER_DISTRICT_SCHOOLS[1], key="OLD_KEY"))
    check_problem(walk, answer, 403, "school-out-of-scope")
    _check_notice(walk, answer, schedule.deprecation(), schedule.sunset())
    check_students(walk, walk.send(client.students(OTHER_DISTRICT, key="OLD_KEY")), OTHER_DISTRICT_SCHOOLS[0])

    walk.step("A wrong key", "It is none of the old keys, so there is nothing to announce.")
    walk.keep("WRONG_KEY", "gradebook-old-key-for-nothing")
    answer = walk.send(client.schools(key="WRONG_KEY"))
    check_problem(walk, answer, 401, "key-invalid", deprecation=absent(), sunset=absent(), link=absent())
    check_before(walk, schedule.throttled_from)


def ambiguous(walk: Walk) -> None:
    """Two credentials are one too many."""
    walk.step("A key beside a token", "Which of them counts is not guessed, whatever they are.")
    walk.keep("SOME_TOKEN", "some-token")
    answer = walk.send(client.schools(key="OLD_KEY", bearer="SOME_TOKEN"))
    check_problem(walk, answer, 400, "credentials-ambiguous")
    answer = walk.send(client.schools(key="OLD_KEY", headers=(basic(EXTENDED_KEY),)))
    check_problem(walk, answer, 400, "credentials-ambiguous")
    answer = walk.send(client.schools(key="OLD_KEY", headers=(f"X-API-Key: {EXTENDED_KEY}",)))
    check_problem(walk, answer, 400, "credentials-ambiguous")


def throttled(walk: Walk, schedule: Schedule) -> None:
    """The same key, the same data, less of it."""
    wait_until(walk, schedule.throttled_from)
    walk.step("Limited harder", f"From now on the tier is `retiring`: {RETIRING_BURST} requests at once, 12 a minute.")
    answer = walk.send(client.schools(key="OLD_KEY"))
    check_schools(walk, answer, *OPENED)
    _check_notice(walk, answer, schedule.deprecation(), schedule.sunset())
    walk.check("RateLimit-Policy", answer.headers.get("ratelimit-policy"), RETIRING_POLICY)
    got = walk.send_many(client.statuses(client.schools(key="OLD_KEY"), 6))
    walk.check("passed", got[200], between(RETIRING_BURST - 1, RETIRING_BURST))
    walk.check("refused", got[429], between(2, 3))
    answer = walk.send(client.schools(key="OLD_KEY"))
    walk.check_answer(answer, 429, retry_after=between(1, 5))
    _check_notice(walk, answer, schedule.deprecation(), schedule.sunset())
    check_before(walk, schedule.refused_from)


def refused(walk: Walk, schedule: Schedule) -> None:
    """The end."""
    wait_until(walk, schedule.refused_from)
    walk.step("Refused", "The key has ended. The answer names what replaces it.")
    for credential in ({"key": "OLD_KEY"}, {"headers": (basic(OLD_KEY),)}):
        answer = walk.send(client.schools(**credential))
        check_problem(walk, answer, 401, "credential-retired", www_authenticate=client.BEARER_CHALLENGE)
        _check_notice(walk, answer, schedule.deprecation(), schedule.sunset())
        detail = answer.member("detail")
        walk.check("the body names the replacement", detail, matches(r".*a district token for each district.*"))


def extended(walk: Walk, schedule: Schedule) -> None:
    """One application was given more time."""
    walk.step("An extension", "`lesson-planner` has until later, and its answers say so. It is limited harder too.")
    check_before(walk, schedule.extended_to)
    answer = walk.send(client.students(DISTRICT, key="EXTENDED_KEY"))
    check_students(walk, answer, DISTRICT_SCHOOLS[0])
    _check_notice(walk, answer, schedule.deprecation(), schedule.extended_sunset())
    walk.check("RateLimit-Policy", answer.headers.get("ratelimit-policy"), RETIRING_POLICY)


def who_still_uses_them(walk: Walk) -> None:
    """Counted by class and phase; the client stands in the access log."""
    walk.step("Who still uses old keys", "A counter per class and phase; the application is in the access log alone.")
    for phase, at_least in (("before", 1), ("announced", 4), ("throttled", 6), ("refused", 2)):
        deadline = time.monotonic() + METRIC_WAIT_S
        while _counted(walk, phase) < at_least and time.monotonic() < deadline:
            time.sleep(REFRESH_POLL_S)
        walk.check(f'{METRIC}{{class="api_keys",phase="{phase}"}}', _counted(walk, phase), between(at_least, 1_000))
    line = walk.log_line("access", lambda it: it.get("retirement") == "refused" and it.get("client") == "gradebook")
    walk.check("client in the access log", line.get("client"), "gradebook")
    walk.check("key id in the access log", line.get("key"), "gradebook-2012")
    stats = walk.send_quietly(Request(f"{client.ADMIN}/stats")).body
    walk.check("names of clients in metrics", [name for name in ("gradebook", "lesson-planner") if name in stats], [])


def _counted(walk: Walk, phase: str) -> int:
    return client.metric(walk, METRIC, 'class="api_keys"', f'phase="{phase}"')


def _check_notice(walk: Walk, answer: Answer, deprecation: str, sunset: str) -> None:
    walk.check("Deprecation", answer.headers.get("deprecation"), deprecation)
    walk.check("Sunset", answer.headers.get("sunset"), sunset)
    links = answer.headers.get("link", "")
    walk.check("links to the documentation", [link for link in LINKS if link not in links], [])
