"""The load tool."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import IO

from .envoy import BenchError
from .machine import load_cores, pinned

SCRIPT = Path(__file__).with_name("load.lua")
# Longer than hallpass or Envoy lets any request wait, also on a busy machine.
TIMEOUT_S = 90
# Nothing of the bench is to go on for longer.
FOREVER_S = 24 * 3600


class Wrk:
    """One run of it, which goes on until it is stopped or its time is over."""

    def __init__(
        self,
        port: int,
        arguments: dict[str, object],
        connections: int,
        threads: int = 1,
        seconds: int = FOREVER_S,
        source: IO[bytes] | None = None,
    ) -> None:
        command = [
            *pinned(load_cores(threads)), "wrk", "--threads", str(threads), "--duration", f"{seconds}s",
            "--connections", str(connections), "--timeout", f"{TIMEOUT_S}s", "--script", str(SCRIPT),
            f"http://127.0.0.1:{port}", "--", *(f"{name}={value}" for name, value in arguments.items()),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=source or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Wrk:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> dict[str, float]:
        """Ends it before its time; what it says of its run."""
        self._process.send_signal(signal.SIGINT)
        return self.result()

    def result(self) -> dict[str, float]:
        """Waits for its end; what it says of its run."""
        said, errors = self._process.communicate()
        lines = said.strip().splitlines()
        if self._process.returncode != 0 or not lines or not lines[-1].startswith("{"):
            raise BenchError(f"wrk failed: {errors or said}")
        result: dict[str, float] = json.loads(lines[-1])
        if result["lost"] or not result["requests"]:
            raise BenchError(f"lost answers: {result}")
        return result

    def check_alive(self) -> None:
        """It has not ended."""
        if self._process.poll() is not None:
            raise BenchError(f"wrk ended too soon: {self.result()}")
