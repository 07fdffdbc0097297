"""One worker and two: throughput and memory."""

from __future__ import annotations

from .. import filters, tokens
from ..bench import Bench
from ..checks import Wanted, check
from ..machine import CORES, envoy_cores
from ..report import Table, Target
from ..rounds import Load, Row

COUNT = 100


def run(bench: Bench) -> None:
    """No filter, Envoy's own and hallpass, each with one and with two workers."""
    load = Load(bench.minter.shared(COUNT, 3), COUNT, f"{filters.FIRST_PATH}?school_id={tokens.school(0)}")
    chains = {
        "no filter": ([], Wanted({}, judges_tokens=False)),
        "jwt_authn (cached) + local_ratelimit": (
            filters.envoys_own(tokens.secret_jwks("HS256"), cached=True),
            Wanted({"client-id": tokens.client(0)}),
        ),
        "hallpass": (
            filters.hallpass(
                bench.hallpass, filters.first_system({"secrets": [{"alg": "HS256", "text": tokens.SECRET}]})
            ),
            Wanted({"client-id": tokens.client(0)}, judges_scope=True),
        ),
    }
    rows: dict[tuple[str, int], Row] = {}
    for name, (chain, wanted) in chains.items():
        for workers in (1, 2):
            # The same cores and the same load for both.
            envoy = bench.start(f"{name} {workers} workers", chain, workers, cores_for=2)
            check(envoy, load, wanted)
            rows[name, workers] = Row(name, envoy, load, threads=2)
    bench.run(list(rows.values()))
    _report(bench, rows)


def _report(bench: Bench, rows: dict[tuple[str, int], Row]) -> None:
    columns = ["", "workers", "CPU us/request", "requests/s", "of one worker", "resident MB", "over no filter"]
    has_cores = envoy_cores(2) is not None
    note = "" if has_cores else (
        f"Only {len(CORES)} cores: two workers share them with the load tool, so their throughput says little; "
        "what the CPU time per request grows by is what they cost each other."
    )  # fmt: skip
    table = Table("Workers", columns, note=note)
    over = {}
    for (name, workers), row in rows.items():
        over[name, workers] = row.rss_mb - rows["no filter", workers].rss_mb
        ratio = row.per_s / rows[name, 1].per_s
        cells = [f"{row.cpu_us:.1f}", f"{row.per_s:.0f}", f"{ratio:.2f}", f"{row.rss_mb:.0f}"]
        table.rows.append([name, str(workers), *cells, f"{over[name, workers]:.0f}"])
    bench.report.tables.append(table)
    further = over["hallpass", 2] - over["hallpass", 1]
    bench.report.targets += [
        Target("resident memory over no filter, one worker", over["hallpass", 1], 30, " MB"),
        Target("resident memory of a further worker", further, 12, " MB"),
    ]
    if has_cores:
        ratio = rows["hallpass", 2].per_s / rows["hallpass", 1].per_s
        bench.report.targets.append(Target("throughput of two workers, of one", ratio, 1.8, at_least=True))
