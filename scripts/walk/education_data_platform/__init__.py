"""The Education Data Platform: tokens, tiers with limits, and the schools that an application may see."""

from __future__ import annotations

import datetime
import time

from ..runner import Walk
from . import access, budgets, changes

# Longer than the walk takes.
MIDNIGHT_MARGIN_S = 15


def walk(walk: Walk) -> None:
    """All steps, each with applications of its own, so that no step spends another's budget."""
    _let_midnight_pass(walk)
    access.register_and_get_token(walk)
    access.approved_school(walk)
    access.school_refused_by_gateway(walk)
    access.school_refused_by_upstream(walk)
    access.refused_tokens(walk)
    access.spoofed_headers(walk)
    access.failing_upstream(walk)
    budgets.requests(walk)
    budgets.cost(walk)
    budgets.ceiling(walk)
    changes.schools_expanded(walk)
    changes.tier_upgraded(walk)
    changes.keys_rotated(walk)


def _let_midnight_pass(walk: Walk) -> None:
    """Day quotas start anew at midnight UTC; in the middle of the walk the numbers would not add up."""
    now = datetime.datetime.now(datetime.timezone.utc)
    midnight = (now + datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = (midnight - now).total_seconds()
    if left < MIDNIGHT_MARGIN_S:
        walk.say(f"day quotas start anew at midnight UTC: waiting for {left:.0f} s")
        time.sleep(left)
