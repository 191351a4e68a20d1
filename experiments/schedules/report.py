"""Table and figure of the study."""

from typing import Any

import numpy as np
from judge import at_equal_inbreeding, paired, upper_bound
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NAMES = {
    "constant": "tuned constant",
    "optimised": "optimised schedule",
    "flattened": "optimised, flattened",
    "linear": "linear, two points",
    "theory": "theory's optimum alone",
    "optimised-by-pgpe": "optimised, perturbations",
    "smith-hazel": "Smith-Hazel, final means",
    "desired-gains": "desired gains",
    "constant-by-grid": "constant, by grid",
    "random-search": "random search",
    "cma-es": "CMA-ES",
    "family-quotas": "family quotas",
    "optimum-contributions": "optimum contributions",
    "constant-at-tighter-limit": "constant, F limit x 0.75",
    "constant-at-wider-limit": "constant, F limit x 1.3",
}
LINES = {"constant": ("0.4", "--"), "linear": ("#009E73", "-"), "optimised": ("#0072B2", "-")}
_OTHER_CONSTANTS = ("flattened", "constant-by-grid")
_FRONTIER = ("constant-at-tighter-limit", "constant", "constant-at-wider-limit")


def differences(case: dict[str, Any], margin: float) -> dict[str, Any]:
    """Every arm less the tuned constant on the panels that both were judged on."""
    base = case["arms"]["constant"]["worth"]
    return {
        name: paired(arm["worth"], base[: len(arm["worth"])], margin)
        for name, arm in case["arms"].items()
        if name != "constant"
    }


def at_equal_f(case: dict[str, Any], name: str, margin: float) -> str:
    """An arm less constants with the same F."""
    arms = case["arms"]
    if any(each not in arms for each in _FRONTIER):
        return ""
    arm = arms[name]
    panels = len(arm["worth"])
    frontier = [[arms[each][what][:panels] for each in _FRONTIER] for what in ("inbreeding", "worth")]
    of_constants = at_equal_inbreeding(float(np.mean(arm["inbreeding"])), *frontier)
    if of_constants is None:
        return "beyond the constants"
    difference = paired(arm["worth"], of_constants, margin)
    return f"{difference.mean:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def table(cases: dict[str, Any], margin: float) -> str:
    """Markdown, one table a case."""
    text = []
    for case in cases.values():
        limited = case["limit"] is not None
        text += [
            f"**{case['title']}**",
            "",
            "| arm | million eggs | panels | worth | less the tuned constant | verdict | p (equal) | F (95 % bound) |"
            + (" less constants of the same F |" if limited else ""),
            "|---" * (9 if limited else 8) + "|",
        ]
        apart = differences(case, margin)
        for name, arm in case["arms"].items():
            cells = [NAMES[name], f"{arm['eggs'] / 1e6:.1f}", str(len(arm["worth"])), f"{np.mean(arm['worth']):.3f}"]
            if name in apart:
                d = apart[name]
                cells += [f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})", d.words, f"{d.equivalence:.3f}"]
            else:
                cells += ["", "", ""]
            cells.append(f"{np.mean(arm['inbreeding']):.4f} ({upper_bound(arm['inbreeding']):.4f})")
            if limited:
                cells.append(at_equal_f(case, name, margin))
            text.append(f"| {' | '.join(cells)} |")
        if {"optimised", "flattened", "constant-by-grid"} <= set(case["arms"]):
            against = [f"{NAMES[other]}: {_less(case, 'optimised', other, margin)}" for other in _OTHER_CONSTANTS]
            text += ["", "Optimised schedule less other constants. " + "; ".join(against) + "."]
        text.append("")
    return "\n".join(text)


def _less(case: dict[str, Any], name: str, other: str, margin: float) -> str:
    """One arm less another on the panels that both were judged on."""
    worth, base = (np.array(case["arms"][arm]["worth"]) for arm in (name, other))
    panels = min(len(worth), len(base))
    d = paired(worth[:panels], base[:panels], margin)
    return f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f}), {d.words}, p (equal) {d.equivalence:.3f}, {panels} panels"


def draw(cases: dict[str, Any], margin: float) -> Figure:
    """Above: differences from the tuned constant. Below: schedules."""
    figure = Figure(figsize=(3.4 * len(cases) + 2.2, 8.2), layout="constrained")
    grid = figure.subplots(2, len(cases), squeeze=False, gridspec_kw={"height_ratios": [1.5, 1]})
    for column, case in enumerate(cases.values()):
        _forest(grid[0][column], case, margin, labelled=column == 0)
        _schedules(grid[1][column], case)
    grid[1][0].legend(frameon=False, fontsize=8)
    return figure


def _forest(axes: Axes, case: dict[str, Any], margin: float, *, labelled: bool) -> None:
    names = [name for name in NAMES if name != "constant" and name not in _FRONTIER]
    apart = differences(case, margin)
    near = -0.15
    axes.axvspan(-margin, margin, color="0.9", zorder=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    for place, name in enumerate(names):
        if name not in apart:
            continue
        d = apart[name]
        colour = "#0072B2" if name == "optimised" else "0.3"
        if d.high < near:  # far off: say so instead of stretching the axis
            axes.annotate(f"< {d.mean:+.2f}", (near, place), fontsize=8, va="center", color=colour)
            continue
        axes.errorbar(d.mean, place, xerr=[[d.mean - d.low], [d.high - d.mean]], fmt="o", color=colour, capsize=2)
    axes.set_yticks(range(len(names)), [NAMES[n] for n in names] if labelled else [], fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(near - 0.01, max(0.1, *(1.1 * apart[n].high for n in names if n in apart)))
    axes.set_xlabel("less the tuned constant\n(founder phenotypic SD; grey: equal)", fontsize=8)
    axes.set_title(case["title"], fontsize=9)


def _schedules(axes: Axes, case: dict[str, Any]) -> None:
    """The first lever by generation."""
    what = next(
        (name for name in ("tests", "males") if np.ptp(case["arms"]["optimised"]["schedule"].get(name, [0])) > 0),
        "weights",
    )
    for name, (colour, style) in LINES.items():
        values = np.array(case["arms"][name]["schedule"][what], np.float64)
        if what == "weights":
            values = values[:, 1] / np.abs(values).sum(1)
        axes.plot(range(len(values)), values, color=colour, linestyle=style, marker=".", label=NAMES[name])
    label = {"weights": "share of sociability in the index", "males": "males kept", "tests": "animals tested a clutch"}
    axes.set(xlabel="generation", ylabel=label[what], ylim=(0, None))
