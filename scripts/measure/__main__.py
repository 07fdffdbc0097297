"""python3 -m measure --envoy FILE --hallpass FILE --noop FILE --signer FILE --files DIRECTORY [options]

Prints the report as Markdown to the standard output, what it does to the standard error. See scripts/bench.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
from pathlib import Path
from types import FrameType

from . import cases
from .bench import Bench, say
from .envoy import BenchError, Envoy
from .machine import busy, description
from .tokens import Minter


def main() -> int:
    """Runs the cases."""
    args = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    Envoy.binary = str(args.envoy)
    args.files.mkdir(parents=True, exist_ok=True)
    rounds = args.rounds or (3 if args.quick else 7)
    seconds = args.seconds or (1 if args.quick else 2)
    minter = Minter(args.signer, args.files)
    load_before = busy()
    status = 0
    with Bench(args.hallpass, args.noop, args.files, minter, rounds, seconds, args.quick, args.against) as bench:
        try:
            for name in args.only or cases.ALL:
                say(f"{name}")
                cases.ALL[name](bench)
                bench.stop_all()
        except (BenchError, OSError) as error:
            # What was measured until then is still worth something.
            say(f"scripts/bench: {error}")
            status = 1
        print(_head(args, rounds, seconds, load_before))
        print(bench.report.text())
    return status


def _head(args: argparse.Namespace, rounds: int, seconds: int, load_before: str) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return (
        f"{description()}; {today}; Envoy {args.envoy_version}; `{args.command}`; medians of {rounds} rounds of "
        f"{seconds} s; load average before it {load_before}.\n"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    for name in ("envoy", "hallpass", "noop", "signer", "files"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--envoy-version", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--command", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=_names)
    parser.add_argument("--rounds", type=_positive)
    parser.add_argument("--seconds", type=_positive)
    parser.add_argument("--against", type=Path, action="append", default=[])
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in cases.ALL:
            raise argparse.ArgumentTypeError(f"there is no case {name!r}. There are: {', '.join(cases.ALL)}")
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return number


def _stop(number: int, _frame: FrameType | None) -> None:
    # As an exception, so that every Envoy ends too.
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
