"""The Student Data API: a key and a permission token in every request, whose scope stands in the JSON body."""

from __future__ import annotations

import datetime
import time

from ..runner import Walk
from . import access, budgets, changes, scope
from .cast import assemble

# Longer than the walk takes.
MIDNIGHT_MARGIN_S = 60


def walk(walk: Walk) -> None:
    """All steps; what spends a budget has an account of its own."""
    _let_midnight_pass(walk)
    cast = assemble(walk)
    access.first_answer(walk, cast)
    access.forwarded(walk, cast)
    access.refused_keys(walk, cast)
    access.refused_tokens(walk, cast)
    access.another_vendor(walk, cast)
    access.permissions(walk, cast)
    access.unknown_routes(walk)
    access.logs(walk, cast)
    scope.in_and_out(walk)
    scope.bodies(walk)
    budgets.plan(walk, cast)
    budgets.guessing(walk)
    budgets.quota(walk, cast)
    budgets.logins(walk, cast)
    changes.key_rotated(walk, cast)
    changes.token_revoked(walk, cast)
    changes.scope_changed(walk, cast)


def _let_midnight_pass(walk: Walk) -> None:
    """Day quotas start anew at midnight UTC; in the middle of the walk the numbers would not add up."""
    now = datetime.datetime.now(datetime.timezone.utc)
    midnight = (now + datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = (midnight - now).total_seconds()
    if left < MIDNIGHT_MARGIN_S:
        walk.say(f"day quotas start anew at midnight UTC: waiting for {left:.0f} s")
        time.sleep(left)
