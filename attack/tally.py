"""What attacks tried, how often, and what they found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from eval.text_table import plain_text, text_table


@dataclass(frozen=True)
class Finding:
    """Something that must not happen.

    Attributes:
      tried: the kind of attack.
      repeat: arguments of `python -m attack` that repeat it.
      what: what happened.
    """

    tried: str
    repeat: str
    what: str


@dataclass
class Tally:
    """Counts of attacks by their kind and outcome, and the findings.

    Attributes:
      outcomes: outcomes of each kind of attack, such as "refused".
      findings: what was found, in order.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def count(self, tried: str, outcome: str, times: int = 1) -> None:
        """Adds attacks that were withstood."""
        self.outcomes.setdefault(tried, Counter())[outcome] += times

    def find(self, tried: str, repeat: str, what: str) -> None:
        """Adds an attack that succeeded."""
        self.count(tried, "found")
        self.findings.append(Finding(tried, repeat, what))

    def add(self, other: Tally) -> None:
        """Adds all counts and findings of another tally."""
        for tried, outcomes in other.outcomes.items():
            self.outcomes.setdefault(tried, Counter()).update(outcomes)
        self.findings += other.findings

    def in_one_line(self) -> str:
        """How often it was tried, and with which outcomes."""
        total: Counter[str] = Counter()
        for outcomes in self.outcomes.values():
            total.update(outcomes)
        others = ", ".join(f"{name} {n}" for name, n in sorted(total.items()) if name != "found")
        return f"{sum(total.values())} tried, {total['found']} found; {others or '-'}"

    def render(self) -> str:
        """The findings, and a table of all attacks."""
        lines = [
            f"FOUND {finding.tried}: {finding.what}\n  python -m attack {finding.repeat}"
            for finding in self.findings
        ]
        table = text_table()
        table.add_column("tried", overflow="fold")
        table.add_column("times", justify="right", no_wrap=True)
        table.add_column("found", justify="right", no_wrap=True)
        table.add_column("outcomes", overflow="fold")
        for tried, outcomes in self.outcomes.items():
            others = [f"{name} {n}" for name, n in sorted(outcomes.items()) if name != "found"]
            times, found = sum(outcomes.values()), outcomes["found"]
            table.add_row(tried, str(times), str(found), ", ".join(others))
        return "\n".join([*lines, plain_text(table, 100)])
