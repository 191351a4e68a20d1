"""The table and the figure of a benchmark's results."""

from pathlib import Path
from typing import Any


def table(result: dict[str, Any]) -> str:
    """Results as a Markdown table with a line about the machine."""
    where, rounds = result["machine"], result["rounds"]
    lines = [
        f"{where['cores']} cores of {where['cpu']}, native kernels: {where['native']}; Python {where['python']}, "
        f"jax {where['jax']}, jaxbreed {where['jaxbreed']} ({where['commit']}), {result['date']}; devices: "
        f"{', '.join(sorted(set(result['devices'])))}. Median of {rounds} rounds.",
        "",
        "| job | million eggs/s | lowest-highest | time per egg over the standard job | crossovers a gamete, counted "
        "(expected) | scores = hatched | compilation, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["jobs"]:
        low, high = (row["eggs"] / seconds / 1e6 for seconds in reversed(row["range_s"]))
        counted = "-"
        if "crossovers_per_gamete" in row:
            counted = (
                f"{row['crossovers_per_gamete']:.2f} ± {row['crossovers_se']:.2f} ({row['expected_crossovers']:.2f})"
            )
        same = {True: "yes", False: "NO", None: "-"}[row.get("scores_equal_hatched")]
        compile_s = "-" if row["compile_s"] is None else f"{row['compile_s']:.1f}"
        lines.append(
            f"| {row['name']} | {row['eggs_per_s'] / 1e6:.3g} | {low:.3g}-{high:.3g} | "
            f"{row['time_over_standard']:.3g} | {counted} | {same} | {compile_s} |"
        )
    peaks = "; ".join(f"{row['eggs']:,} eggs {row['peak_mib']:.0f} MiB" for row in result["memory"])
    return "\n".join([*lines, "", f"Peak memory of the process: {peaks}."])


def draw(result: dict[str, Any], path: Path) -> None:
    """Speeds as points on a logarithmic axis, with the range over the rounds."""
    from matplotlib.figure import Figure

    rows = sorted(result["jobs"], key=lambda row: row["eggs_per_s"])
    figure = Figure(figsize=(8, 0.3 * len(rows) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        low, high = (row["eggs"] / seconds for seconds in reversed(row["range_s"]))
        colour = (
            "tab:red" if row["name"].startswith("ChromaX") else "tab:gray" if "floor" in row["name"] else "tab:blue"
        )
        axes.plot([low, high], [place, place], color=colour, linewidth=1.5)
        axes.plot(row["eggs_per_s"], place, "o", color=colour, markersize=5)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("eggs scored per second (median and range of the rounds)")
    axes.grid(axis="x", alpha=0.3)
    where = result["machine"]
    axes.set_title(f"{where['cores']} cores of {where['cpu']}, native kernels: {where['native']}", fontsize=9)
    figure.savefig(path, dpi=150)
