"""What a value must be, with the words that a failed check prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expectation:
    """A predicate and its description."""

    text: str
    holds: Callable[[Any], bool]


def equals(value: Any) -> Expectation:
    """Exactly this value."""
    return Expectation(repr(value), lambda got: got == value)


def absent() -> Expectation:
    """No value at all."""
    return Expectation("none", lambda got: got is None)


def between(low: int, high: int) -> Expectation:
    """A whole number of the closed range, as a number or as text."""

    def holds(got: Any) -> bool:
        return re.fullmatch(r"\d+", str(got)) is not None and low <= int(got) <= high

    return Expectation(f"{low} to {high}", holds)


def matches(pattern: str) -> Expectation:
    """A text that the whole pattern fits."""
    return Expectation(
        f"text like {pattern}", lambda got: isinstance(got, str) and re.fullmatch(pattern, got) is not None
    )
