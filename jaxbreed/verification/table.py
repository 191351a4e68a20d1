"""The report on the screen."""

import math

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from jaxbreed.verification.findings import Finding
from jaxbreed.verification.runner import FAMILY_ERROR, Report


def verdict(finding: Finding, critical: float) -> str:
    """ok, wrong or not run."""
    good = finding.holds(critical)
    return "not run" if good is None else "ok" if good else "wrong"


def number(value: float) -> str:
    """A number to five digits, or a dash."""
    return "-" if math.isnan(value) else f"{value:.5g}"


def report_table(report: Report) -> Table:
    """A row for each law."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("check", no_wrap=True)
    table.add_column("law [dim](source)[/dim]", overflow="fold")
    for heading in ("expected", "observed", "s.e.", "z"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for f in report.findings:
        word = verdict(f, report.critical)
        look = {"ok": "green", "wrong": "red", "not run": "yellow"}[word]
        law = f"{escape(f.law if not f.reason else f'{f.law}: {f.reason}')} [dim]({escape(f.source)})[/dim]"
        error = number(f.error) + (f" +{f.allowance:.2g}" if f.kind == "approximate" else "")
        z = "-" if math.isnan(f.z) else f"{f.z:.2f}"
        shown = ("exact" if f.kind == "exact" else error, z)
        table.add_row(f.check, law, number(f.expected), number(f.observed), *shown, f"[{look}]{word}[/{look}]")
    return table


def closing_lines(report: Report) -> list[str]:
    """What it comes to."""
    kinds = [f.kind for f in report.findings]
    counted = {kind: kinds.count(kind) for kind in ("exact", "stochastic", "approximate", "not run")}
    tested = sum(counted[kind] for kind in ("stochastic", "approximate"))
    lines = [
        f"{len(report.titles)} checks, {len(kinds)} rows: {counted['exact']} exact, "
        f"{counted['stochastic']} stochastic, "
        f"{counted['approximate']} against laws that are approximations (s.e. + what the law may be off), "
        f"{counted['not run']} not run; {report.seconds:.0f} s, seed {report.effort.seed}",
        f"a row is wrong beyond {report.critical:.2f} standard errors: a correct machine fails any of {tested} with "
        f"chance {FAMILY_ERROR:g} at most (Bonferroni)",
    ]
    deviates = report.deviates
    if len(deviates) > 1:
        square, spread = sum(z * z for z in deviates) / len(deviates), math.sqrt(2 / len(deviates))
        lines.append(
            f"mean square of {len(deviates)} standard deviates: {square:.2f} (1 +- {spread:.2f} if independent)"
        )
    wrong = sorted({f.check for f in report.wrong}, key=lambda name: int(name[1:]))
    lines.append("all laws hold" if report.good else f"WRONG: {', '.join(wrong)}" if wrong else "nothing was tested")
    return lines
