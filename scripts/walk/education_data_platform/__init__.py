"""The Education Data Platform: tokens, tiers with limits, and the schools that an application may see."""

from __future__ import annotations

from .. import midnight
from ..runner import Walk
from . import access, budgets, changes

# Longer than the walk takes.
MIDNIGHT_MARGIN_S = 15


def walk(walk: Walk) -> None:
    """All steps, each with applications of its own, so that no step spends another's budget."""
    midnight.let_pass(walk, MIDNIGHT_MARGIN_S)
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
