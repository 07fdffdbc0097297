"""What changes while applications run: schools, tier, signing keys."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType

from ..curl import Request
from ..runner import Walk
from .client import AUTH, change, count, get, get_token, register, statuses

FREE_DAY = 1000
PREMIUM_DAY = 200_000
RACING = 20
# Requests with the old token that are still to be answered after the new key is in use.
BACKGROUND_AFTER = 10


def schools_expanded(walk: Walk) -> None:
    """A token is what it was when it was issued."""
    walk.step("One more school", "A new token carries it. The old one keeps the old list until it expires.")
    application = register(walk, "growing-app", "standard", ["oakwood-primary"])
    get_token(walk, application, "OLD_LIST")
    path = "/attendance/summary?school_id=millbrook-academy"
    walk.check_answer(walk.send(get(path, "OLD_LIST")), 403)
    change(walk, application, schools_add=["millbrook-academy"])
    get_token(walk, application, "NEW_LIST")
    walk.check_answer(walk.send(get(path, "NEW_LIST")), 200)
    walk.check_answer(walk.send(get(path, "OLD_LIST")), 403)
    for token, approved in (("OLD_LIST", ["oakwood-primary"]), ("NEW_LIST", ["oakwood-primary", "millbrook-academy"])):
        answer = walk.send(get("/schools", token))
        walk.check("schools", [row["id"] for row in answer.member("schools") or []], approved)


def tier_upgraded(walk: Walk) -> None:
    """Usage belongs to the client, not to the token."""
    used = 10
    walk.step("A higher tier", "The limits are those of the new tier; what was used before stays used.")
    application = register(walk, "upgraded-app", "free", ["oakwood-primary"])
    get_token(walk, application, "OLD_TIER")
    counts = walk.send_many(statuses(f"/schools?n=[1-{used}]", "OLD_TIER"))
    walk.check("admitted", counts[200], used)
    change(walk, application, tier="premium")
    get_token(walk, application, "NEW_TIER")
    answer = walk.send(get("/schools", "NEW_TIER"))
    walk.check_answer(answer, 200)
    walk.check("requests left today, premium", answer.quota("day", "r"), PREMIUM_DAY - used - 1)
    answer = walk.send(get("/schools", "OLD_TIER"))
    walk.check("requests left today, free", answer.quota("day", "r"), FREE_DAY - used - 2)


def keys_rotated(walk: Walk) -> None:
    """The first token under a new key makes hallpass fetch the keys, and waits for them."""
    walk.step("The signing key is rotated", "While requests run. No request fails, and the key set is fetched once.")
    application = register(walk, "steady-app", "premium", ["oakwood-primary"])
    get_token(walk, application, "OLD_KEY")
    walk.check_answer(walk.send(get("/schools", "OLD_KEY")), 200)
    fetches = count(walk, "jwks_requests")
    with Background(walk, statuses("/schools", "OLD_KEY")) as background:
        rotated = walk.send(Request(f"{AUTH}/dev/rotate-keys", data={"mode": "add", "alg": "ES256"}))
        walk.check("status", rotated.status, 200)
        get_token(walk, application, "NEW_KEY")
        walk.say(f"{RACING} requests at once under a key that the gateway has not seen:")
        counts = walk.send_many(statuses(f"/schools?n=[1-{RACING}]", "NEW_KEY", "-Z"))
        walk.check("answers to the new token", dict(counts), {200: RACING})
        background.wait_for(BACKGROUND_AFTER)
    walk.check("answers to the old token meanwhile", set(background.statuses), {200})
    walk.check("fetches of the key set", count(walk, "jwks_requests") - fetches, 1)
    walk.check_answer(walk.send(get("/schools", "NEW_KEY")), 200)
    walk.check_answer(walk.send(get("/schools", "OLD_KEY")), 200)


class Background:
    """One request over and over while the block runs."""

    def __init__(self, walk: Walk, request: Request) -> None:
        self.statuses: Counter[int] = Counter()
        self._walk = walk
        self._request = request
        self._stop = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Background:
        self._walk.say("in the background, over and over until the rotation is done:")
        self._walk.show_command(self._request)
        self._thread.start()
        self.wait_for(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._walk.requests += sum(self.statuses.values())
        counts = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        self._walk.say(f"in the background: {counts}")

    def wait_for(self, count: int) -> None:
        """Returns once so many more have been answered."""
        with self._progress:
            target = sum(self.statuses.values()) + count
            self._progress.wait_for(lambda: sum(self.statuses.values()) >= target)

    def _run(self) -> None:
        while not self._stop.is_set():
            status = self._walk.send_silently(self._request)
            with self._progress:
                self.statuses[status] += 1
                self._progress.notify_all()
