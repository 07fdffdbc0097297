"""What must not grow: the cost of a request with the number of clients, of keys, and of schools in a token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .. import filters, tokens
from ..bench import Bench
from ..checks import Wanted, check
from ..lists import Lists
from ..report import Table, Target
from ..rounds import Load, Row
from . import students

FLAT = 1.3
# Room for all tokens of a case, so that the tables are measured and not the cold path.
BOUNDS = {"max_cached_tokens": 200_000, "max_cached_bytes": 1 << 29}


def clients(bench: Bench) -> None:
    """1 to 100,000 clients, each with a token that is known."""
    sizes = [1, 10_000] if bench.quick else [1, 100, 10_000, 100_000]
    _first_system(bench, "clients", {size: bench.minter.shared(size, 3) for size in sizes}, lambda size: size)


def schools(bench: Bench) -> None:
    """1 to 1,000 schools in every token."""
    sizes = [1, 1_000] if bench.quick else [1, 10, 100, 1_000]
    count = 100
    files = {size: bench.minter.shared(count, size) for size in sizes}
    _first_system(bench, "schools in a token", files, lambda _: count)


def keys(bench: Bench) -> None:
    """1 to 10,000 API keys, each another client's, all in use."""
    sizes = [1, 10_000] if bench.quick else [1, 100, 10_000]
    with Lists(sizes) as lists:
        none = bench.start("keys none", [filters.buffer()])
        rows = []
        for size in sizes:
            config = filters.students(f"keys-{size}.json", bounds=BOUNDS)
            chain = [*filters.hallpass(bench.hallpass, config), filters.buffer()]
            envoy = bench.start(f"keys {size}", chain, lists=lists.address)
            load = students.load(bench, size)
            check(envoy, load, students.HALLPASS)
            base = Row("no filter", none, load)
            rows += [base, Row(f"{size:,}", envoy, load, base)]
        bench.run(rows)
        _report(bench, "API keys", rows[1::2])
        lists.shutdown()


def _first_system(bench: Bench, what: str, files: dict[int, Path], count_of: Callable[[int], int]) -> None:
    none = bench.start(f"{what} none", [])
    secrets = {"secrets": [{"alg": "HS256", "text": tokens.SECRET}]}
    rows = []
    for size, file in files.items():
        chain = filters.hallpass(bench.hallpass, filters.first_system(secrets, bounds=BOUNDS))
        envoy = bench.start(f"{what} {size}", chain)
        load = Load(file, count_of(size), f"{filters.FIRST_PATH}?school_id={tokens.school(0)}")
        check(envoy, load, Wanted({"client-id": tokens.client(0)}, judges_scope=True))
        # Larger requests cost Envoy itself more, too: the same load without a filter is the base.
        base = Row("no filter", none, load)
        rows += [base, Row(f"{size:,}", envoy, load, base)]
    bench.run(rows)
    _report(bench, what, rows[1::2])


def _report(bench: Bench, what: str, rows: list[Row]) -> None:
    smallest = rows[0]
    columns = [what, "CPU us/request", "added us", "added, of the smallest", "requests/s", "p99 us", "resident MB"]
    table = Table(f"Flat: {what}", columns)
    for row in rows:
        ratio = row.added_us / smallest.added_us
        cells = [f"{row.cpu_us:.1f}", f"{row.added_us:.1f}", f"{ratio:.2f}", f"{row.per_s:.0f}", f"{row.p99_us:.0f}"]
        table.rows.append([row.name, *cells, f"{row.rss_mb:.0f}"])
    bench.report.tables.append(table)
    worst = max(row.added_us for row in rows) / smallest.added_us
    bench.report.targets.append(Target(f"flat, {rows[0].name} to {rows[-1].name} {what}", worst, FLAT))
