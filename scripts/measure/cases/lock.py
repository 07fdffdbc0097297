"""What the process-wide lock of Envoy's shared data costs: measured with as many workers as there are cores, then
estimated for 64.

Measured is a filter that does nothing but read and swap slots of shared data, 200 times per request, so that workers
meet at the lock far more often than hallpass's do. The model: a pair of calls takes `hold` seconds under the lock and
`rest` seconds outside of it, and the lock serves one worker at a time. Mean value analysis of that closed queue gives
the throughput of N workers. `hold` is chosen so that it gives the measured one; so it holds the hand-over between cores
as well. With hallpass `rest` is the whole other work of a request, which makes one such pair.
"""

from __future__ import annotations

from .. import filters, tokens
from ..bench import Bench
from ..checks import Wanted, check
from ..machine import CORES
from ..report import Table
from ..rounds import Load, Row

PAIRS = 200
WORKERS = (1, 2, 4, 16, 64)


def run(bench: Bench) -> None:
    """Measures one worker and all, and does the sums."""
    count = 100
    load = Load(bench.minter.shared(count, 3), count, f"{filters.FIRST_PATH}?school_id={tokens.school(0)}")
    threads = len(CORES)

    def row(name: str, chain: list[filters.Filter], wanted: Wanted, workers: int = 1) -> Row:
        envoy = bench.start(f"lock {name}", chain, workers)
        check(envoy, load, wanted)
        return Row(name, envoy, load)

    nothing = Wanted({}, judges_tokens=False)
    idle = row("no pair", filters.noop(bench.noop), nothing)
    one = row("one worker", filters.noop(bench.noop, PAIRS), nothing)
    many = row("many workers", filters.noop(bench.noop, PAIRS), nothing, threads)
    config = filters.first_system({"secrets": [{"alg": "HS256", "text": tokens.SECRET}]})
    hallpass = row("hallpass", filters.hallpass(bench.hallpass, config), Wanted({"client-id": tokens.client(0)}))
    bench.run([idle, one, many, hallpass])

    pair_us = (one.cpu_us - idle.cpu_us) / PAIRS
    speed_up = many.per_s / one.per_s
    hold_us = held(pair_us, threads, speed_up)
    table = Table("Lock of the shared data", ["workers", "requests/s of hallpass, of one worker", "lost us/request"])
    table.note = (
        f"A read and a swap of a slot take {pair_us:.2f} us of one worker. {threads} workers that do nothing else do "
        f"{speed_up:.2f} times as many as one{_trust(speed_up, threads)}, so {hold_us:.2f} us of them are under the "
        f"lock. A request of hallpass takes {hallpass.cpu_us:.1f} us in all. Estimated:"
    )
    for workers in WORKERS:
        per_us = throughput(hold_us, hallpass.cpu_us - hold_us, workers)
        lost = workers / per_us - hallpass.cpu_us
        table.rows.append([str(workers), f"{per_us * hallpass.cpu_us:.1f}", f"{lost:.2f}"])
    bench.report.tables.append(table)


def _trust(speed_up: float, threads: int) -> str:
    return " (more than there are: other work on the machine spoilt this)" if speed_up > threads else ""


def throughput(hold: float, rest: float, workers: int) -> float:
    """Pairs per unit of time of so many workers: mean value analysis with one station and a think time."""
    queue = per_time = 0.0
    for n in range(1, workers + 1):
        at_lock = hold * (1 + queue)
        per_time = n / (rest + at_lock)
        queue = per_time * at_lock
    return per_time


def held(pair: float, workers: int, speed_up: float) -> float:
    """The time under the lock that explains the speed-up; 0 if there is nothing to explain."""
    low, high = 0.0, pair
    for _ in range(50):
        middle = (low + high) / 2
        if throughput(middle, pair - middle, workers) * pair > speed_up:
            low = middle
        else:
            high = middle
    return low if low > pair * 1e-6 else 0.0
