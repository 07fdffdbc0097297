"""What a tier buys: requests, cost, and a ceiling for one request."""

from __future__ import annotations

import math
import time

from ..curl import Answer
from ..expect import absent, between, matches
from ..runner import Walk
from .client import get, get_token, register, statuses

SCHOOLS = ["oakwood-primary", "ravenscroft-high"]
# As in envoy/education-data-platform.yaml, tier `free`.
FREE_BURST = 30
FREE_DAY = 1000
FREE_COST = 60
FREE_MAX_COST = 20
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
BURST_SENT = 40
# A bucket fills up again by one each second, so that on a stalled machine a request may just fit in again.
ATTEMPTS = 3


def requests(walk: Walk) -> None:
    """The same requests are too many for one tier and few for another."""
    walk.step("Too many requests", f"The free tier admits {FREE_BURST} at once, then one per second.")
    get_token(walk, register(walk, "free-app", "free", SCHOOLS), "FREE")
    started = time.monotonic()
    counts = walk.send_many(statuses(f"/schools?n=[1-{BURST_SENT}]", "FREE"))
    refilled = math.ceil(time.monotonic() - started)
    walk.check("admitted", counts[200], between(FREE_BURST, FREE_BURST + refilled))
    walk.check("refused", counts[429], BURST_SENT - counts[200])
    answer = _refused(walk)
    walk.check_answer(answer, 429, retry_after=between(1, 1))
    _check_quota_exceeded(walk, answer, "minute")
    walk.check("requests left at once", answer.quota("minute", "r"), 0)
    walk.check(
        "requests left today", answer.quota("day", "r"), between(FREE_DAY - counts[200] - 5, FREE_DAY - counts[200])
    )

    walk.step("The same for the premium tier", "Another application, another tier, another budget.")
    get_token(walk, register(walk, "premium-app", "premium", SCHOOLS), "PREMIUM")
    counts = walk.send_many(statuses(f"/schools?n=[1-{BURST_SENT}]", "PREMIUM"))
    walk.check("admitted", counts[200], BURST_SENT)
    answer = walk.send(get("/schools", "PREMIUM"))
    walk.check_answer(answer, 200, retry_after=absent())
    walk.check("requests left today", answer.quota("day", "r"), 200_000 - BURST_SENT - 1)


def cost(walk: Walk) -> None:
    """Few requests can be too much."""
    asked = FREE_MAX_COST
    fits = FREE_COST // asked
    walk.step(
        "Too much cost",
        f"{FREE_COST} records a minute: {fits} requests for {asked} fit, though {FREE_BURST} requests would.",
    )
    get_token(walk, register(walk, "export-app", "free", SCHOOLS), "EXPORT")
    path = f"/attendance/records?limit={asked}"
    counts = walk.send_many(statuses(f"{path}&n=[1-{fits}]", "EXPORT"))
    walk.check("admitted", counts[200], fits)
    answer = walk.send(get(path, "EXPORT"))
    walk.check_answer(answer, 429, retry_after=between(asked - 5, asked))
    _check_quota_exceeded(walk, answer, "cost")
    walk.check("requests left at once", answer.quota("minute", "r"), between(FREE_BURST - fits, FREE_BURST))
    walk.check("cost among the request limits", answer.quota("cost", "r"), absent())

    walk.step(
        "Paying for what was used",
        "One school has 10 records: X-Actual-Cost of the API gives the other 10 of each 20 back.",
    )
    get_token(walk, register(walk, "small-export-app", "free", SCHOOLS[:1]), "SMALL_EXPORT")
    counts = walk.send_many(statuses(f"{path}&n=[1-{fits + 1}]", "SMALL_EXPORT"))
    walk.check("admitted", counts[200], fits + 1)
    answer = walk.send(get(path, "SMALL_EXPORT"))
    walk.check_answer(answer, 200, x_actual_cost=absent())


def ceiling(walk: Walk) -> None:
    """One request can be too much for ever."""
    walk.step("Too much for one request", "No Retry-After, since waiting would not help.")
    answer = walk.send(get(f"/attendance/records?limit={FREE_MAX_COST + 1}", "SMALL_EXPORT"))
    walk.check_answer(answer, 429, retry_after=absent())
    walk.check("problem type", answer.member("type"), matches(r"https://.*#too-costly"))


def _refused(walk: Walk) -> Answer:
    answer = walk.send(get("/schools", "FREE"))
    for _ in range(ATTEMPTS):
        if answer.status == 429:
            break
        walk.send_many(statuses(f"/schools?n=[1-{BURST_SENT}]", "FREE"))
        answer = walk.send(get("/schools", "FREE"))
    return answer


def _check_quota_exceeded(walk: Walk, answer: Answer, policy: str) -> None:
    walk.check("problem type", answer.member("type"), QUOTA_EXCEEDED)
    walk.check("violated policies", answer.member("violated-policies"), [policy])
