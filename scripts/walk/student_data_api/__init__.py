"""The Student Data API: a key and a permission token in every request, whose scope stands in the JSON body."""

from __future__ import annotations

from .. import midnight
from ..runner import Walk
from . import access, budgets, changes, scope
from .cast import assemble

# Longer than the walk takes.
MIDNIGHT_MARGIN_S = 30


def walk(walk: Walk) -> None:
    """All steps; what spends a budget has a client of its own."""
    midnight.let_pass(walk, MIDNIGHT_MARGIN_S)
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
