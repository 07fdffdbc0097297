"""The vendors of the walk and their keys, made at once, so that the gateway learns them in one refresh."""

from __future__ import annotations

from dataclasses import dataclass

from ..curl import Request
from ..runner import Walk
from . import client
from .client import (
    AUTH,
    DISTRICT,
    OTHER_DISTRICT,
    OTHER_DISTRICT_SCHOOLS,
    Vendor,
    add_vendor,
    issue_key,
    wait_for,
)

DAY_S = 86400


@dataclass(frozen=True)
class Cast:
    """Who takes part. Keys are shell variables: KEY is the one of `main`."""

    # One district, and one school of another; the largest plan.
    main: Vendor
    key_id: str
    # The other district; the largest plan too. OTHER_KEY.
    other: Vendor
    # Logs in wrongly. CLUMSY_KEY and HASTY_KEY.
    clumsy: Vendor
    hasty: Vendor
    # The smallest plan. STARTER_KEY and GUESSER_KEY.
    starter: Vendor
    guesser: Vendor
    # A plan with a small daily quota, and two keys: FIRST_KEY and SECOND_KEY.
    trial: Vendor
    first_key_id: str


def assemble(walk: Walk) -> Cast:
    """Opens the clients and makes the keys."""
    walk.step(
        "Vendors and their keys",
        "The vendor portal of the development server. A key is shown once; the gateway gets its SHA-256.",
    )
    main = add_vendor(walk, "reader", "enterprise", [DISTRICT], OTHER_DISTRICT_SCHOOLS[:1])
    other = add_vendor(walk, "other", "enterprise", [OTHER_DISTRICT], [])
    clumsy = add_vendor(walk, "clumsy", "enterprise", [DISTRICT], [])
    hasty = add_vendor(walk, "hasty", "enterprise", [DISTRICT], [])
    starter = add_vendor(walk, "starter", "starter", [DISTRICT], [])
    guesser = add_vendor(walk, "guesser", "starter", [DISTRICT], [])
    trial = add_vendor(walk, "trial", "trial", [DISTRICT], [])
    issue_key(walk, main, "EARLY_KEY", not_before=client.utc(DAY_S))
    issue_key(walk, main, "LATE_KEY", not_after=client.utc(-DAY_S))
    issue_key(walk, other, "OTHER_KEY")
    issue_key(walk, clumsy, "CLUMSY_KEY")
    issue_key(walk, hasty, "HASTY_KEY")
    issue_key(walk, starter, "STARTER_KEY")
    issue_key(walk, guesser, "GUESSER_KEY")
    first_key_id = issue_key(walk, trial, "FIRST_KEY")
    issue_key(walk, trial, "SECOND_KEY")
    key_id = issue_key(walk, main, "KEY")
    _check_list(walk, key_id)

    walk.step("The gateway learns the keys", "Without a restart. A known key alone is 401, an unknown one 403.")
    wait_for(walk, client.ask("KEY", None, districtlea=DISTRICT), 401)
    return Cast(main, key_id, other, clumsy, hasty, starter, guesser, trial, first_key_id)


def _check_list(walk: Walk, key_id: str) -> None:
    answer = walk.send(Request(f"{AUTH}/v1/keys.json"))
    listed = [key for key in answer.member("keys") or [] if key.get("id") == key_id]
    members = ["client", "id", "sha256", "tier"]
    walk.check("members of the listed key", [sorted(key) for key in listed], [members])
    walk.check("the key itself in the list", walk.variables["KEY"] in answer.body, False)
