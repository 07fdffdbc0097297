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

from .cases import REQUEST_ID, seconds_to_midnight
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

    system = importlib.import_module(f".{args.system.replace('-', '_')}", __package__)
    logs = {"upstream": args.upstream_log, "access": args.access_log}
    walk = Walk(logs, [REQUEST_ID, *getattr(system, "INVARIANTS", [])])
    # Longer than the walk counts requests of a day.
    _let_midnight_pass(getattr(system, "MIDNIGHT_MARGIN_S", 0))
    started = time.monotonic()
    try:
        for step in system.STEPS:
            walk.step(step.title, step.why)
            for case in step.cases:
                case.play(walk)
    except CurlError as error:
        walk.check("an answer", str(error), "an answer")
    return 0 if walk.finish(time.monotonic() - started) else 1


def _let_midnight_pass(margin_s: float) -> None:
    # In the middle of a walk the numbers would not add up.
    left = seconds_to_midnight()
    if left < margin_s:
        print(f"day quotas start anew at midnight UTC: waiting for {left:.0f} s", flush=True)
        time.sleep(left)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    # As an exception, so that background requests end too.
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
