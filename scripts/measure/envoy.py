"""A real Envoy: started, asked, measured, stopped."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from .bootstrap import ECHO_HOST
from .machine import pinned

START_TIMEOUT_S = 60.0
# Long, for machines that are busy: a bench that gives up has measured nothing.
ANSWER_TIMEOUT_S = 60.0
POLL_S = 0.01
# At least as much as V8 reserves for the linear memory of one module beyond what it uses.
RESERVATION_BYTES = 1 << 31


class BenchError(Exception):
    """What keeps the figures from meaning anything."""


class Envoy:
    """One process. It is ended when its `with` block is left."""

    binary = ""

    def __init__(
        self, name: str, config: dict[str, Any], files: Path, cores: list[int] | None, workers: int = 1
    ) -> None:
        self.name = name
        self.workers = workers
        self._log_path = files / f"{name}.log"
        config_path, admin_path = files / f"{name}.json", files / f"{name}.admin"
        config_path.write_text(json.dumps(config))
        admin_path.unlink(missing_ok=True)
        command = [
            *pinned(cores), self.binary, "--config-path", str(config_path), "--concurrency", str(workers),
            "--admin-address-path", str(admin_path), "--disable-hot-restart", "--log-level", "warning",
        ]  # fmt: skip
        started = time.monotonic()
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.admin_port = self._await_admin(admin_path)
            self.ready_ms = (time.monotonic() - started) * 1000
            self.ports = self._ports()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Envoy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it at once: nothing of it is needed any more."""
        self._process.kill()
        self._process.wait()

    def cpu_us(self) -> float:
        """The CPU time of all its threads, as utime and stime of /proc/PID/stat, but in nanoseconds."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def rss_mb(self) -> float:
        """Resident memory, in 10^6 bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kib) * 1024 / 1e6

    def wasm_mb(self) -> float:
        """Linear memory of all modules, in 10^6 bytes.

        V8 reserves gigabytes of addresses for a linear memory and makes the part that is in use readable and writable: it
        is what stands right before a reservation of that size.
        """
        total, previous = 0, (0, 0)
        for line in Path(f"/proc/{self._process.pid}/maps").read_text().splitlines():
            addresses, permissions, *rest = line.split()
            start, end = (int(address, 16) for address in addresses.split("-"))
            if permissions == "---p" and end - start > RESERVATION_BYTES and previous[1] == start:
                total += previous[1] - previous[0]
            previous = (start, end) if permissions == "rw-p" and len(rest) < 4 else (0, 0)
        return total / 1e6

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges by name."""
        lines = self._admin(f"/stats?filter={pattern}").splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines)
        return {name: int(value) for name, value in pairs if value.isdigit()}

    @property
    def port(self) -> int:
        """Where the filters are."""
        return self.ports["gateway"]

    def answered(self, which: str = "2xx", listener: str = "gateway") -> tuple[int, int]:
        """Requests that were answered, and those of them with 200 to 299, or which."""
        prefix = f"http.{listener}.downstream_rq"
        stats = self.stats(f"^{prefix}_(completed|{which})$")
        return stats.get(f"{prefix}_completed", 0), stats.get(f"{prefix}_{which}", 0)

    def ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> http.client.HTTPResponse:
        """One request, answered with the headers that an upstream would see."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Host": ECHO_HOST, **headers})
            response = connection.getresponse()
            response.read()
            return response
        finally:
            connection.close()

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._log_path.read_text(errors="replace").splitlines()[-15:])

    def _await_admin(self, path: Path) -> int:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BenchError(f"Envoy `{self.name}` does not start:\n{self.log_tail()}")
            address = path.read_text() if path.exists() else ""
            if ":" in address:
                self.admin_port = int(address.rsplit(":", 1)[1])
                if self._admin("/ready").strip() == "LIVE":
                    return self.admin_port
            time.sleep(POLL_S)
        raise BenchError(f"Envoy `{self.name}` is not ready after {START_TIMEOUT_S:.0f} s:\n{self.log_tail()}")

    def _ports(self) -> dict[str, int]:
        """By the listeners' names."""
        listeners = json.loads(self._admin("/listeners?format=json"))["listener_statuses"]
        return {it["name"]: int(it["local_address"]["socket_address"]["port_value"]) for it in listeners}

    def _admin(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()
