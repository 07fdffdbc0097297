"""python3 -m measure --envoy FILE --hallpass FILE --noop FILE --signer FILE --files DIRECTORY [options]

Prints the report as Markdown to the standard output, what it does to the standard error. See scripts/bench.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from . import cases
from .bench import Bench, say
from .cases import soak
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
    parts = (args.hallpass, args.noop, args.files, minter)
    with Bench(*parts, rounds, seconds, args.quick, args.against, args.requests, args.kinds) as bench:
        try:
            for name in args.only or (name for name in cases.ALL if name not in cases.NOT_BY_DEFAULT):
                say(f"{name}")
                cases.ALL[name](bench)
                bench.stop_all()
        except (BenchError, OSError) as error:
            # What was measured until then is still worth something.
            say(f"scripts/bench: {error}")
            status = 1
        print(_head(args, rounds, seconds, load_before))
        print(bench.report.text())
    missed = [target.text for target in bench.report.targets if target.binding and not target.met]
    for text in missed:
        say(f"missed: {text}")
    return 1 if missed else status


def _head(args: argparse.Namespace, rounds: int, seconds: int, load_before: str) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    medians = "" if args.only == ["soak"] else f"medians of {rounds} rounds of {seconds} s; "
    return (
        f"{description()}; {today}; Envoy {args.envoy_version}; `{args.command}`; {medians}load average before it "
        f"{load_before}.\n"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    for name in ("envoy", "hallpass", "noop", "signer", "files"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--envoy-version", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--command", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=_names(cases.ALL), default=[])
    parser.add_argument("--kinds", type=_names(soak.KINDS), default=[])
    parser.add_argument("--requests", type=_positive, default=1_000_000)
    parser.add_argument("--rounds", type=_positive)
    parser.add_argument("--seconds", type=_positive)
    parser.add_argument("--against", type=Path, action="append", default=[])
    return parser.parse_args()


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}. There are: {', '.join(known)}")
        return names

    return parse


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
