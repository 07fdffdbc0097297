"""What changes while the gateway runs: keys, tokens and scopes, each in force within one refresh of its lists."""

from __future__ import annotations

import time

from ..curl import Request
from ..runner import Walk
from ..token import payload
from .cast import Cast
from .client import (
    AUTH,
    DISTRICT,
    OTHER_DISTRICT,
    OTHER_DISTRICT_SCHOOLS,
    ask,
    check_refused,
    check_students,
    log_in,
    rotate_key,
    utc,
    wait_for,
)

# Long enough for the gateway to learn the new key, and to see both work.
OVERLAP_S = 3


def key_rotated(walk: Walk, cast: Cast) -> None:
    """For a while both keys work."""
    walk.step("A key is rotated", f"The new key works at once, the old one for {OVERLAP_S} more seconds.")
    rotate_key(walk, cast.key_id, "NEW_KEY", at=utc(OVERLAP_S))
    ends = time.monotonic() + OVERLAP_S
    wait_for(walk, ask("NEW_KEY", "TOKEN", limit=1, districtlea=DISTRICT), 200)
    if time.monotonic() < ends - 0.5:
        walk.check_answer(walk.send(ask("KEY", "TOKEN", limit=1, districtlea=DISTRICT)), 200)
    wait_for(walk, ask("KEY", "TOKEN", limit=1, districtlea=DISTRICT), 403)
    check_refused(walk, walk.send(ask("KEY", "TOKEN", limit=1, districtlea=DISTRICT)), 403, "Forbidden")
    walk.check_answer(walk.send(ask("NEW_KEY", "TOKEN", limit=1, districtlea=DISTRICT)), 200)


def token_revoked(walk: Walk, cast: Cast) -> None:
    """One token is void, the others are not."""
    walk.step("A token is revoked", "By its `jti`. It was used before, so that the gateway had it in its cache.")
    claims = log_in(walk, cast.main, "NEW_KEY", "LOST")
    walk.check_answer(walk.send(ask("NEW_KEY", "LOST", limit=1, districtlea=DISTRICT)), 200)
    revoked = walk.send(Request(f"{AUTH}/dev/revoke", data={"jti": claims["jti"]}))
    walk.check("status", revoked.status, 204)
    wait_for(walk, ask("NEW_KEY", "LOST", limit=1, districtlea=DISTRICT), 401)
    check_refused(walk, walk.send(ask("NEW_KEY", "LOST", limit=1, districtlea=DISTRICT)), 401, "invalid-token")
    walk.say("Another token of the same vendor:")
    walk.check_answer(walk.send(ask("NEW_KEY", "TOKEN", limit=1, districtlea=DISTRICT)), 200)


def scope_changed(walk: Walk, cast: Cast) -> None:
    """Tokens of the old scope stop working; new ones say the new scope."""
    walk.step("The access scope changes", "What was issued before is void: no token keeps a scope that was taken away.")
    data = {"vendor": cast.main.client, "districts": [OTHER_DISTRICT], "schools": []}
    walk.check("status", walk.send(Request(f"{AUTH}/dev/scope", data=data)).status, 200)
    wait_for(walk, ask("NEW_KEY", "TOKEN", limit=1, districtlea=DISTRICT), 401)
    check_refused(walk, walk.send(ask("NEW_KEY", "TOKEN", limit=1, districtlea=DISTRICT)), 401, "invalid-token")

    walk.step("A token of the new scope", "The other district is open now, and the old one is not.")
    claims = log_in(walk, cast.main, "NEW_KEY", "NEW_TOKEN")
    walk.check("districts", claims.get("districts"), [OTHER_DISTRICT])
    issued_before = payload(walk.variables["TOKEN"])["iat"] < claims["iat"]
    walk.check("issued after the old token", issued_before, True)
    answer = walk.send(ask("NEW_KEY", "NEW_TOKEN", limit=25, districtlea=OTHER_DISTRICT))
    check_students(walk, answer, *OTHER_DISTRICT_SCHOOLS)
    answer = walk.send(ask("NEW_KEY", "NEW_TOKEN", limit=25, districtlea=DISTRICT))
    check_refused(walk, answer, 403, "no-districtlea")
