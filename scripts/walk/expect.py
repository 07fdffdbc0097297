"""What a value must be, with the words that a failed check prints; and how a value is found in JSON."""

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
    """Exactly this value; `None` is no value at all."""
    return Expectation("none" if value is None else repr(value), lambda got: got == value)


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


def problem(code: str) -> Expectation:
    """The problem type of this code."""
    return matches(rf"https://.*#{code}")


def each(*values: str) -> Expectation:
    """A list in any order, each value once."""
    return Expectation(f"{list(values)}", lambda got: isinstance(got, list) and sorted(got) == sorted(values))


def rows_of(*values: str) -> Expectation:
    """A list of rows: each value at least once, and no other."""
    return Expectation(f"{set(values)}", lambda got: isinstance(got, list) and set(got) == set(values))


def find(path: str, value: Any) -> Any:
    """The value at a path such as `.schools[].id` or `.requests[-1].headers`; None if there is none."""
    step = re.match(r"\.([\w-]+)(?:\[(-?\d*)\])?", path)
    if step is None:
        return value
    name, index = step.groups()
    rest = path[step.end() :]
    value = value.get(name) if isinstance(value, dict) else None
    if index is None:
        return find(rest, value)
    if not isinstance(value, list):
        return None
    if index == "":
        return [find(rest, item) for item in value]
    return find(rest, value[int(index)]) if value else None
