"""What `jaxbreed verify` does once its arguments are there."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from jaxbreed.verification.figure import plot_report
from jaxbreed.verification.file import machine, save_report
from jaxbreed.verification.findings import Finding
from jaxbreed.verification.registry import Check, Effort
from jaxbreed.verification.runner import Report, run_checks
from jaxbreed.verification.table import closing_lines, report_table


def verify_and_report(
    checks: tuple[Check, ...], effort: Effort, output: Path | None, console: Console, quiet: bool
) -> Report:
    """Runs checks with a progress bar, prints the table, writes the file and its figure.

    Args:
      checks: which.
      effort: how large.
      output: the file; None for none. The figure goes beside it where there is anything to draw.
      console: where to print.
      quiet: no progress bar.

    Returns:
      The report.
    """
    about = machine()
    versions = f"jaxbreed {about['jaxbreed_version']}, jax {about['jax_version']}"
    console.print(f"{versions}, kernels {about['kernels']} on {about['device']}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
    with bar:
        task = bar.add_task("verifying", total=len(checks))

        def on_check(check: Check, rows: list[Finding]) -> None:
            del rows
            bar.update(task, advance=1, description=f"{check.name} done")

        report = run_checks(checks, effort, on_check)
    console.print(report_table(report))
    for line in closing_lines(report):
        console.print(line, highlight=False, soft_wrap=True)
    if output is not None:
        save_report(output, report)
        console.print(f"report: {output}", highlight=False, soft_wrap=True)
        if report.deviates:
            figure = output.with_suffix(".png")
            plot_report(report, figure)
            console.print(f"figure: {figure}", highlight=False, soft_wrap=True)
    return report
