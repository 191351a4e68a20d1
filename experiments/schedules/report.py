"""Table and figure of the study."""

from typing import Any

import numpy as np
from judge import Difference, at_equal_inbreeding, lower_bound, paired, upper_bound
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NAMES = {
    "constant": "constant, by gradient",
    "constant-by-grid": "constant, by grid",
    "optimised": "optimised schedule",
    "flattened": "optimised, flattened (post hoc)",
    "linear": "linear, two points",
    "theory": "theory's optimum alone",
    "optimised-by-pgpe": "optimised, perturbations",
    "smith-hazel": "Smith-Hazel, final means",
    "desired-gains": "desired gains",
    "random-search": "random search",
    "cma-es": "CMA-ES",
    "family-quotas": "family quotas",
    "optimum-contributions": "optimum contributions",
    "constant-at-tighter-limit": "constant, F limit x 0.75",
    "constant-at-wider-limit": "constant, F limit x 1.3",
}
LINES = {"constant": ("0.4", "--"), "linear": ("#009E73", "-"), "optimised": ("#0072B2", "-")}
_FRONTIER = ("constant-at-tighter-limit", "constant", "constant-at-wider-limit")


def breaks_limit(case: dict[str, Any], name: str) -> bool:
    """Whether mean F is above the limit beyond doubt (one-sided 95 %)."""
    return case["limit"] is not None and lower_bound(case["arms"][name]["inbreeding"]) > case["limit"]


def bar(case: dict[str, Any]) -> str:
    """The constant to be beaten: of those tuned, the better one on common panels that keeps the limit.

    That is known after the judgement only, and favours the constant.
    """
    arms = case["arms"]
    able = [name for name in ("constant", "constant-by-grid") if name in arms and not breaks_limit(case, name)]
    panels = min(len(arms[name]["worth"]) for name in able)
    return max(able, key=lambda name: np.mean(arms[name]["worth"][:panels]))


def difference(case: dict[str, Any], name: str, other: str, margin: float) -> Difference:
    """One arm less another on the panels that both were judged on."""
    worth, base = (np.array(case["arms"][arm]["worth"]) for arm in (name, other))
    panels = min(len(worth), len(base))
    return paired(worth[:panels], base[:panels], margin)


def at_equal_f(case: dict[str, Any], name: str, margin: float) -> Difference | None:
    """An arm less constants of the same F; None beyond them."""
    arms = case["arms"]
    panels = len(arms[name]["worth"])
    frontier = [[arms[each][what][:panels] for each in _FRONTIER] for what in ("inbreeding", "worth")]
    of_constants = at_equal_inbreeding(float(np.mean(arms[name]["inbreeding"])), *frontier)
    return None if of_constants is None else paired(arms[name]["worth"], of_constants, margin)


def fair(case: dict[str, Any], name: str, margin: float) -> Difference | None:
    """The difference to go by: from the bar, or under a limit on F from constants of the same F."""
    if case["limit"] is not None:
        return at_equal_f(case, name, margin)
    return difference(case, name, bar(case), margin)


def table(cases: dict[str, Any], margin: float) -> str:
    """Markdown, one table a case."""
    text = []
    for case in cases.values():
        best = bar(case)
        limited = case["limit"] is not None
        against = "constants of the same F" if limited else NAMES[best]
        text += [
            f"**{case['title']}**",
            "",
            f"| arm | million eggs | panels | worth | less {against} | verdict | p (equal) | F (95 % bound) |"
            + (" less the tuned constant, whatever F |" if limited else ""),
            "|---" * (9 if limited else 8) + "|",
        ]
        for name in (each for each in NAMES if each in case["arms"]):
            arm, cells = case["arms"][name], [NAMES[name]]
            cells += [f"{arm['eggs'] / 1e6:.1f}", str(len(arm["worth"])), f"{np.mean(arm['worth']):.3f}"]
            own = name in (_FRONTIER if limited else (best,))
            d = None if own else fair(case, name, margin)
            broken = breaks_limit(case, name)
            verdict = "" if d is None else d.words
            cells += ["" if d is None else _numbers(d)]
            cells += ["; ".join(filter(None, (verdict, "limit broken" if broken else "")))]
            cells += ["" if d is None else f"{d.equivalence:.3f}"]
            cells.append(f"{np.mean(arm['inbreeding']):.4f} ({upper_bound(arm['inbreeding']):.4f})")
            if limited:
                cells.append("" if name == "constant" else _numbers(difference(case, name, "constant", margin)))
            text.append(f"| {' | '.join(cells)} |")
        others = [
            n for n in ("constant", "constant-by-grid", "flattened", "optimum-contributions") if n in case["arms"]
        ]
        said = [f"{NAMES[other]}: {_said(difference(case, 'optimised', other, margin))}" for other in others]
        text += ["", "Optimised schedule less other arms, whatever F. " + ". ".join(said) + "."]
        text += [f"Search by search: {_by_search(case)}.", ""]
    return "\n".join(text)


def _by_search(case: dict[str, Any]) -> str:
    """What the luck of a search is worth, on the same panels."""
    worth = {
        name: np.array([each["mean_worth"] for each in case["arms"][name]["searches"]])
        for name in ("optimised", "constant", "linear", "flattened")
    }
    parts = [f"optimised {', '.join(f'{x:.3f}' for x in worth['optimised'])}"]
    for other in ("constant", "linear", "flattened"):
        apart = worth["optimised"] - worth[other]
        parts.append(f"less {NAMES[other]} {', '.join(f'{x:+.3f}' for x in apart)}")
    return "; ".join(parts)


def _numbers(d: Difference) -> str:
    return f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})"


def _said(d: Difference) -> str:
    return f"{_numbers(d)}, {d.words}, p (equal) {d.equivalence:.3f}"


def draw(cases: dict[str, Any], margin: float) -> Figure:
    """Above: differences from the constant to be beaten. Below: schedules, of every search."""
    figure = Figure(figsize=(3.6 * len(cases) + 2.2, 8.2), layout="constrained")
    grid = figure.subplots(2, len(cases), squeeze=False, gridspec_kw={"height_ratios": [1.5, 1]})
    for column, case in enumerate(cases.values()):
        _forest(grid[0][column], case, margin, labelled=column == 0)
        _schedules(grid[1][column], case)
    grid[1][0].legend(frameon=False, fontsize=8)
    return figure


def _forest(axes: Axes, case: dict[str, Any], margin: float, *, labelled: bool) -> None:
    limited, best = case["limit"] is not None, bar(case)
    names = [name for name in NAMES if name not in _FRONTIER or name == "constant"]
    own = _FRONTIER if limited else (best,)
    apart = {name: fair(case, name, margin) for name in names if name in case["arms"] and name not in own}
    left, right = -0.13, max(0.1, *(1.1 * d.high for d in apart.values() if d is not None))
    axes.axvspan(-margin, margin, color="0.9", zorder=0)
    axes.axvline(0, color="0.4", linewidth=0.8)
    for place, name in enumerate(names):
        colour = "#0072B2" if name == "optimised" else "0.3"
        d = apart.get(name)
        if d is not None and d.low > left:
            bars = [[d.mean - d.low], [d.high - d.mean]]
            axes.errorbar(d.mean, place, xerr=bars, fmt="o", markersize=5, color=colour, capsize=2)
            continue
        if name not in case["arms"]:
            words = "not run"
        elif d is not None:
            words = f"{d.mean:+.2f}"
        elif name in own:
            words = "compared with"
        else:
            words = "limit broken" if breaks_limit(case, name) else "beyond the constants"
        axes.annotate(words, (left, place), (3, 0), textcoords="offset points", fontsize=7, va="center", color="0.4")
    axes.set_yticks(range(len(names)), [NAMES[n] for n in names] if labelled else [], fontsize=8)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(left, right))
    against = "constants of the same F" if limited else NAMES[best]
    axes.set_xlabel(f"less {against}\n(founder phenotypic SD; grey: equal)", fontsize=8)
    axes.set_title(case["title"], fontsize=9)


def _schedules(axes: Axes, case: dict[str, Any]) -> None:
    """What changes most by generation."""
    found = case["arms"]["optimised"]["schedule"]
    what = next((name for name in ("tests", "family_weight") if np.ptp(found.get(name, [0])) > 0), "weights")
    for name, (colour, style) in LINES.items():
        for number, search in enumerate(case["arms"][name]["searches"]):
            values = np.array(search["schedule"][what], np.float64)
            if what == "weights":
                values = values[:, 1] / np.abs(values).sum(1)
            label = "_" if number else NAMES[name]
            axes.plot(range(len(values)), values, color=colour, linestyle=style, marker=".", alpha=0.7, label=label)
    label = {"weights": "share of sociability", "family_weight": "family weight", "tests": "tested of a clutch"}
    axes.set(xlabel="generation", ylabel=label[what])
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
