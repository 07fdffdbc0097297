"""Midnight UTC, when day quotas start anew."""

from __future__ import annotations

import datetime
import time

from .runner import Walk


def seconds_left() -> float:
    """Until the next midnight."""
    now = datetime.datetime.now(datetime.timezone.utc)
    midnight = (now + datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()


def let_pass(walk: Walk, margin_s: float) -> None:
    """Waits for a midnight that is near: in the middle of a walk the numbers would not add up."""
    left = seconds_left()
    if left < margin_s:
        walk.say(f"day quotas start anew at midnight UTC: waiting for {left:.0f} s")
        time.sleep(left)
