"""What all cases need: the options, the parts, and Envoys that end with the case."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

from . import rounds
from .bootstrap import Filter, bootstrap
from .envoy import Envoy
from .machine import envoy_cores
from .report import Report
from .rounds import Row
from .tokens import Minter


@dataclass
class Bench:
    """One run."""

    hallpass: Path
    noop: Path
    files: Path
    minter: Minter
    rounds: int
    seconds: int
    quick: bool
    # Other builds of hallpass, to be measured beside it.
    against: list[Path]
    # Of each kind of the soak, and which kinds; all if there are none.
    requests: int
    kinds: list[str]
    report: Report = field(default_factory=Report)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def start(
        self,
        name: str,
        filters: list[Filter],
        workers: int = 1,
        lists: tuple[str, int] | None = None,
        cores_for: int = 0,
    ) -> Envoy:
        """Starts an Envoy with these filters; `cores_for` gives it the cores of another number of workers."""
        file_name = "".join(c if c.isalnum() else "-" for c in name)
        cores = envoy_cores(cores_for or workers)
        envoy = Envoy(file_name, bootstrap(filters, lists), self.files, cores, workers)
        return self._stack.enter_context(envoy)

    def builds(self) -> list[tuple[str, Path]]:
        """hallpass, and what it is measured against."""
        return [("hallpass", self.hallpass), *((f"hallpass ({path.stem})", path) for path in self.against)]

    def run(self, rows: list[Row]) -> None:
        """Measures the rows in turn."""
        rounds.run(rows, self.rounds, self.seconds)

    def stop_all(self) -> None:
        """Ends the Envoys of a case."""
        self._stack.close()


def say(text: str) -> None:
    """Progress, beside the report."""
    print(text, file=sys.stderr, flush=True)
