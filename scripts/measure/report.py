"""The Markdown that the bench prints."""

from __future__ import annotations

from dataclasses import dataclass, field

from .rounds import Row


@dataclass
class Table:
    """A table with a heading and a sentence."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""

    def text(self) -> str:
        """In Markdown."""
        lines = [f"**{self.title}**", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [_line(self.columns), "|---" + "|---:" * (len(self.columns) - 1) + "|"]
        return "\n".join(lines + [_line(row) for row in self.rows]) + "\n"


@dataclass
class Target:
    """A number that is to stay below a bound, or above it."""

    text: str
    value: float
    bound: float
    unit: str = ""
    at_least: bool = False
    # Whether the command fails where it is not met.
    binding: bool = False

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def cells(self) -> list[str]:
        """The row of the table of targets."""
        sign = "at least" if self.at_least else "at most"
        bound, value = f"{sign} {self.bound:g}{self.unit}", f"{self.value:.2f}{self.unit}"
        return [self.text, bound, value, "yes" if self.met else "no"]


@dataclass
class Report:
    """Everything that was found."""

    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def text(self) -> str:
        """All tables; the targets last."""
        columns = ["target", "bound", "measured", "met"]
        tables = [*self.tables]
        if self.targets:
            tables.append(Table("Targets", columns, [target.cells() for target in self.targets]))
        return "\n".join(table.text() for table in tables)


def comparison(title: str, rows: list[Row], reference: Row | None, note: str = "") -> Table:
    """Rows beside each other; the ratio is that of what they add over no filter, to what the reference adds."""
    ratio = "" if reference is None else f"of {reference.name}"
    columns = ["", "CPU us/request", "added us", f"added, {ratio}", "requests/s", "p50 us", "p99 us", "resident MB"]
    if reference is None:
        columns.pop(3)
    table = Table(title, columns, note=note)
    for row in rows:
        cells = [row.name, f"{row.cpu_us:.1f}", f"{row.added_us:.1f}" if row.base else "-"]
        if reference is not None:
            cells.append(f"{row.added_us / reference.added_us:.2f}" if row.base else "-")
        cells += [f"{row.per_s:.0f}", f"{row.p50_us:.0f}", f"{row.p99_us:.0f}", f"{row.rss_mb:.0f}"]
        table.rows.append(cells)
    return table


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
