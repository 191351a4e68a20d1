"""The table of a comparison: a row for each arm."""

import numpy as np
from rich import box
from rich.table import Table

from jaxbreed.comparison import Comparison, Floats
from jaxbreed.summary import interval


def comparison_table(comparison: Comparison) -> Table:
    """What each arm came to in the last generation.

    Args:
      comparison: finished runs.

    Returns:
      A row for each arm: gain in every trait and in the index, the index less that of the first arm (paired by
      replicate, or unpaired where founders are others), inbreeding, animals tested and, where it is known, cost.
    """
    first, traits = comparison.names[0], comparison.traits
    run = comparison[first]
    several, priced = run.replicates > 1, any("cost" in each.data for each in comparison.runs.values())
    weights = ", ".join(f"{trait} {weight:g}" for trait, weight in zip(traits, comparison.weights, strict=True))
    caption = (
        f"After {run['eggs'].shape[1] - 1} generations; "
        + (f"means of {run.replicates} replicates ± half the 95 % interval. " if several else "one replicate. ")
        + f"Gain in founder phenotypic SD. index: gains weighed ({weights}) and added up. less {first}: difference of "
        f"the index, {_founders(comparison)}. F: inbreeding of the eggs. tests: "
        f"animals tested in a replicate{'. cost: of a replicate' if priced else ''}."
    )
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")
    table.add_column("arm", no_wrap=True, vertical="bottom")
    for heading in (*traits, "index", f"less\n{first}", "F", "tests", *(["cost"] if priced else [])):
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    for name in comparison.names:
        gain = comparison.values(name, "gain")[:, -1]
        cells = [_with_interval(gain[:, t]) for t in range(len(traits))]
        cells.append(_with_interval(comparison.values(name)[:, -1]))
        cells.append("-" if name == first else _said(*comparison.contrast(name)[:2], several, "+.2f"))
        cells.append(f"{comparison.values(name, 'inbreeding')[:, -1].mean():.3f}")
        cells.append(f"{comparison.values(name, 'tests').sum(1).mean():,.0f}")
        if priced:
            known = "cost" in comparison[name].data
            cells.append(f"{np.nansum(comparison.values(name, 'cost'), 1).mean():,.0f}" if known else "-")
        table.add_row(name, *cells)
    return table


def _with_interval(values: Floats) -> str:
    """Mean over replicates, ± half the interval where there are several."""
    mean, low, _ = interval(values)
    return _said(mean, low, len(values) > 1, ".2f")


def _said(mean: Floats, low: Floats, several: bool, form: str) -> str:
    return f"{mean:{form}}" + (f" ± {mean - low:.2f}" if several else "")


def _founders(comparison: Comparison) -> str:
    """How differences from the first arm are taken."""
    paired = "from the same founders and seeds, replicate by replicate"
    if not comparison.apart:
        return paired
    apart = ", ".join(comparison.apart)
    if len(comparison.apart) < len(comparison.names) - 1:
        return f"{paired}, but for {apart}: from other founders, unpaired (Welch)"
    return f"unpaired (Welch), as {apart} started from other founders"
