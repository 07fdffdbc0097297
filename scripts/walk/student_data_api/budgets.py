"""What a plan buys, and what guessing costs."""

from __future__ import annotations

import math
import time

from .. import midnight
from ..curl import Answer, Request
from ..expect import absent, between
from ..runner import Walk
from .cast import Cast
from .client import (
    DISTRICT,
    ask,
    check_refused,
    claims_for,
    log_in,
    login,
    mint,
    rotate_key,
    statuses,
    wait_for,
)

# As in envoy/student-data-api.yaml.
STARTER_RATE = 2
STARTER_BURST = 5
TRIAL_DAY = 20
LOGIN_FAILURES = 5
RETRY_AFTER_MAX = 3600
SENT = 12
# A bucket fills up all the time, so that on a stalled machine a request may just fit in again.
ATTEMPTS = 3


def plan(walk: Walk, cast: Cast) -> None:
    """The same requests are too many for one plan and few for another."""
    walk.step("Too many requests", f"Starter admits {STARTER_BURST} at once, then {STARTER_RATE} per second.")
    mint(walk, "STARTER_TOKEN", claims_for(cast.starter, [DISTRICT], []))
    request = ask("STARTER_KEY", "STARTER_TOKEN", limit=1, districtlea=DISTRICT)
    _check_burst(walk, request, 200)
    _check_too_many(walk, _exhausted(walk, request), between(1, 1))

    walk.step("The same on the Enterprise plan", "Another client, another budget.")
    counts = walk.send_many(statuses(ask("KEY", "TOKEN", limit=1, districtlea=DISTRICT), SENT, "-Z"))
    walk.check("answers", dict(counts), {200: SENT})


def guessing(walk: Walk) -> None:
    """The key is charged first, so that guessing tokens costs the guesser."""
    walk.step("Guessed tokens", "Each one costs the key a request: after the burst, not even the token is looked at.")
    walk.keep("GUESSED", "guessed.guessed.guessed")
    request = ask("GUESSER_KEY", "GUESSED", districtlea=DISTRICT)
    _check_burst(walk, request, 401)
    _check_too_many(walk, _exhausted(walk, request), between(1, 1))


def quota(walk: Walk, cast: Cast) -> None:
    """A daily quota at its boundary, two keys on one budget, and a rotation that gives nothing back."""
    walk.step(
        "The last request of the day",
        f"The plan `trial`, which only the demo has, ends after {TRIAL_DAY} requests a day (the public ones, 1,000",
        "or more). The client has two keys, which share the quota; the login counts too.",
    )
    log_in(walk, cast.trial, "FIRST_KEY", "TRIAL_TOKEN")
    first = ask("FIRST_KEY", "TRIAL_TOKEN", limit=1, districtlea=DISTRICT)
    second = ask("SECOND_KEY", "TRIAL_TOKEN", limit=1, districtlea=DISTRICT)
    half = TRIAL_DAY // 2
    walk.check("answers to the first key", dict(walk.send_many(statuses(first, half))), {200: half})
    rest = TRIAL_DAY - half - 2
    walk.check("answers to the second key", dict(walk.send_many(statuses(second, rest))), {200: rest})
    walk.say(f"that was a login and {half + rest} requests; the last one:")
    walk.check_answer(walk.send(second), 200, retry_after=absent())

    walk.step("One more", "With either key. Retry-After is the time until midnight UTC, but at most an hour.")
    for request in (second, first):
        left = math.ceil(midnight.seconds_left())
        answer = walk.send(request)
        _check_too_many(walk, answer, between(min(left, RETRY_AFTER_MAX) - 2, min(left + 1, RETRY_AFTER_MAX)))

    walk.step("A new key on the old budget", "The first key is rotated. The new one is known, the quota still used up.")
    rotate_key(walk, cast.first_key_id, "THIRD_KEY")
    wait_for(walk, ask("THIRD_KEY", "TRIAL_TOKEN", limit=1, districtlea=DISTRICT), 429)
    check_refused(walk, walk.send(first), 403, "Forbidden")


def logins(walk: Walk, cast: Cast) -> None:
    """Failed logins have a limit of their own; right ones cost nothing of it."""
    walk.step("Logins that succeed", f"{SENT} of them: what counts are failures.")
    walk.check("answers", dict(walk.send_many(statuses(login(cast.clumsy, "CLUMSY_KEY"), SENT))), {200: SENT})

    walk.step("Logins that fail", f"{LOGIN_FAILURES} a minute for a key from one address.")
    for _ in range(LOGIN_FAILURES):
        answer = walk.send(login(cast.clumsy, "CLUMSY_KEY", password="wrong"))
        check_refused(walk, answer, 401, "invalid-login")
    _check_too_many(walk, walk.send(login(cast.clumsy, "CLUMSY_KEY", password="wrong")), between(1, 60))
    walk.say("Not even the right password now:")
    _check_too_many(walk, walk.send(login(cast.clumsy, "CLUMSY_KEY")), between(1, 60))
    walk.say("The data of the vendor stays open to it:")
    mint(walk, "CLUMSY_TOKEN", claims_for(cast.clumsy, [DISTRICT], []))
    walk.check_answer(walk.send(ask("CLUMSY_KEY", "CLUMSY_TOKEN", districtlea=DISTRICT)), 200)

    walk.step("The same, all at once", "Charged before the login is forwarded, so that a burst does not slip through.")
    started = time.monotonic()
    counts = walk.send_many(statuses(login(cast.hasty, "HASTY_KEY", password="wrong"), SENT, "-Z"))
    refilled = math.floor((time.monotonic() - started) * LOGIN_FAILURES / 60) + 1
    walk.check("wrong passwords that were looked at", counts[401], between(LOGIN_FAILURES, LOGIN_FAILURES + refilled))
    walk.check("refused", counts[429], SENT - counts[401])


def _check_burst(walk: Walk, request: Request, status: int) -> None:
    started = time.monotonic()
    counts = walk.send_many(statuses(request, SENT, "-Z"))
    refilled = math.ceil((time.monotonic() - started) * STARTER_RATE)
    walk.check("admitted", counts[status], between(STARTER_BURST, STARTER_BURST + refilled))
    walk.check("refused", counts[429], SENT - counts[status])


def _exhausted(walk: Walk, request: Request) -> Answer:
    answer = walk.send(request)
    for _ in range(ATTEMPTS):
        if answer.status == 429:
            break
        walk.send_many(statuses(request, SENT, "-Z"))
        answer = walk.send(request)
    return answer


def _check_too_many(walk: Walk, answer: Answer, retry_after: object) -> None:
    check_refused(walk, answer, 429, "too-many-requests", retry_after=retry_after)
