"""District tokens: one opaque token per application and district, and old keys that are retired by date."""

from __future__ import annotations

from ..runner import Walk
from . import retirement, tokens
from .cast import assemble
from .schedule import Schedule


def walk(walk: Walk) -> None:
    """All steps. What depends on a date comes first, as the dates are seconds away."""
    schedule = Schedule.from_environment()
    retirement.before(walk, schedule)
    retirement.announced(walk, schedule)
    retirement.ambiguous(walk)
    retirement.throttled(walk, schedule)
    retirement.refused(walk, schedule)
    retirement.extended(walk, schedule)
    retirement.who_still_uses_them(walk)
    cast = assemble(walk)
    tokens.signed_up(walk, cast)
    tokens.another_district(walk, cast)
    tokens.beside_jwts(walk, cast)
    tokens.forwarded(walk, cast)
    tokens.unknown(walk)
    tokens.budgets(walk, cast)
    tokens.list_unavailable(walk, cast)
    tokens.withdrawn(walk, cast)
