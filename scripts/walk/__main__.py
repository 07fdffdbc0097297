"""python3 -m walk SYSTEM --upstream-log FILE --access-log FILE

Exits 0 only if every answer was right. The stack must be running, see scripts/demo.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from .curl import CurlError
from .runner import Walk


def main() -> int:
    """Walks one system and says how it went."""
    parser = argparse.ArgumentParser(prog="walk")
    parser.add_argument("system")
    parser.add_argument("--upstream-log", type=Path, required=True)
    parser.add_argument("--access-log", type=Path, required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)

    walk = Walk({"upstream": args.upstream_log, "access": args.access_log})
    system = importlib.import_module(f".{args.system.replace('-', '_')}", __package__)
    started = time.monotonic()
    try:
        system.walk(walk)
    except CurlError as error:
        walk.check("an answer", str(error), "an answer")
    seconds = time.monotonic() - started

    print()
    if walk.failures:
        print(f"{len(walk.failures)} of {walk.checks} checks failed:")
        for failure in walk.failures:
            print(f"  \u2717 {failure}")
        return 1
    print(f"\u2713 All {walk.checks} checks of {walk.requests} requests were right, in {seconds:.1f} s.")
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> None:
    # As an exception, so that background requests end too.
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
