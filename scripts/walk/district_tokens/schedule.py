"""The dates of the walk: a year of notices in half a minute."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from email.utils import formatdate

from ..curl import CurlError
from ..runner import Walk

VARIABLE = "HALLPASS_DEMO_SCHEDULE"
# A request that is sent this long before a moment may be judged after it.
MARGIN_S = 1.0


@dataclass(frozen=True)
class Schedule:
    """Seconds since 1970, as scripts/demo wrote them into the configuration."""

    announced: int
    throttled_from: int
    refused_from: int
    # Of the one application that was given more time.
    extended_to: int

    @staticmethod
    def from_environment() -> Schedule:
        """What scripts/demo exports."""
        text = os.environ.get(VARIABLE, "")
        moments = [int(word) for word in text.split()]
        if len(moments) != 4:
            raise CurlError(f"{VARIABLE} must hold four moments; scripts/demo sets it")
        return Schedule(*moments)

    def deprecation(self) -> str:
        """The value of `Deprecation` (RFC 9745)."""
        return f"@{self.announced}"

    def sunset(self) -> str:
        """The value of `Sunset` (RFC 8594)."""
        return formatdate(self.refused_from, usegmt=True)

    def extended_sunset(self) -> str:
        """The same for the application that was given more time."""
        return formatdate(self.extended_to, usegmt=True)


def wait_until(walk: Walk, moment: int) -> None:
    """Lets a moment come; from then on the answers are others."""
    left = moment - time.time()
    if left > 0:
        walk.say(f"waiting {left:.0f} s for {formatdate(moment, usegmt=True)}")
    # In small steps: a sleep may end early, and the moment must not be missed by a clock that is set.
    while time.time() < moment:
        time.sleep(0.02)


def check_before(walk: Walk, moment: int) -> None:
    """The steps of a phase must have ended before the next one, or they prove nothing."""
    walk.check("this phase lasted until here", time.time() < moment - MARGIN_S, True)
