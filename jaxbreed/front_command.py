"""`jaxbreed front`: what two traits can gain together, by theory and simulated, in one command."""

import time
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from rich.console import Console

from jaxbreed.front import TracedFront, shortfall, trace_front
from jaxbreed.front_report import front_table, plot_front, save_front
from jaxbreed.interrupt import noticed
from jaxbreed.listing import show_caveats
from jaxbreed.objectives import trait_number
from jaxbreed.optimisation import courses_of
from jaxbreed.plan import aim_of, ready_space
from jaxbreed.progress import bar
from jaxbreed.scenario import Loaded, Scenario

Method = Literal["chebyshev", "epsilon"]


def check_front(scenario: Scenario, traits: str | None, points: int, constant: int, method: str) -> tuple[int, int]:
    """Reads and checks what the command line asks for.

    Returns:
      Numbers of the two traits.

    Raises:
      ValueError: naming the option, its value and what would be right.
    """
    names = list(scenario.trait_tables)
    asked = names[:2] if traits is None else [name.strip() for name in traits.split(",")]
    if len(asked) != 2 or len(set(asked)) != 2:
        raise ValueError(f"--traits is {', '.join(asked)}; a front needs two traits, by comma, of {', '.join(names)}")
    if not 3 <= points <= 1000:
        raise ValueError(f"--points is {points}; it must be from 3 to 1000")
    if not 2 <= constant <= 1000:
        raise ValueError(f"--constant is {constant}; it must be from 2 to 1000")
    if method not in get_args(Method):
        raise ValueError(f"--method is {method}; it must be one of {', '.join(get_args(Method))}")
    aim_of(scenario)
    return trait_number(asked[0], names, "--traits"), trait_number(asked[1], names, "--traits")


def front_and_report(
    loaded: Loaded,
    traits: tuple[int, int],
    points: int,
    constant: int,
    method: str,
    output: Path,
    console: Console,
    quiet: bool,
) -> None:
    """Traces a front: prints its table, writes its file after every point, and its figure.

    Raises:
      ValueError: naming the field, its value and what would be right.
      RuntimeError: a lineage died out.
    """
    scenario, began = loaded.scenario, time.perf_counter()
    aim, seed = aim_of(scenario), scenario.programme.seed
    title = scenario.title or f"{scenario.preset.common} ({scenario.preset.latin})"
    names = tuple(scenario.trait_tables)
    console.print(f"[bold]{title}[/bold]")
    console.print(
        f"Pareto front of {names[traits[0]]} and {names[traits[1]]}: {points} points, {constant} of constant weights, "
        f"{aim.replicates} replicates, seed {seed}; free: {', '.join(lever.name for lever in aim.levers)}"
    )
    show_caveats(console, scenario)
    attributes = {
        "scenario": loaded.text,
        "seed": seed,
        "levers": repr(aim.levers),
        "limits": repr(aim.limits),
        "method": method,
    }
    with noticed() as ctrl_c, bar(console, quiet) as shown:
        task = shown.add_task("drawing founders", total=2 * points + constant, detail="")
        ready, space = ready_space(scenario, aim.levers)
        shared = scenario.founders.shared
        courses = courses_of(ready.program, ready.founders, aim.replicates, shared_founders=shared)
        # Founders of one replicate are enough to search with: loci and effects are the same for all.
        guide = courses_of(ready.program, ready.founders, 1, shared_founders=shared).expected
        shown.update(task, description="theory: first point")

        def callback(front: TracedFront | None, done: int, steps: int) -> None:
            ctrl_c.check()
            what = f"theory: point {done + 1} of {points}"
            if front is not None:
                save_front(output, front, names, attributes=attributes)
                what = f"simulating point {min(done - points + 1, points + constant)} of {points + constant}"
            shown.update(task, completed=done, description=what)

        front = trace_front(
            courses,
            space,
            traits=traits,
            points=points,
            constant=constant,
            method=cast(Method, method),
            limits=aim.limits,
            seed=seed,
            guide=guide,
            callback=callback,
        )
    eggs = sum(
        int(np.asarray(point.course.eggs, np.float64).sum())
        for point in (*front.points, *front.constant)
        if point.course is not None
    )
    figure = output.with_suffix(".png")
    note = (
        f"{eggs:,} eggs simulated, {aim.replicates} replicates a point; bars: 95 % intervals of the mean, seed {seed}"
    )
    plot_front(front, names, figure, title=title, note=note)
    console.print(front_table(front, names))
    console.print(_difference(front, names), highlight=False)
    seconds = time.perf_counter() - began
    console.print(f"{eggs:,} eggs in {seconds:.0f} s, founders, theory and compilation included")
    console.print(f"results: {output}\nfigure:  {figure}", highlight=False, soft_wrap=True)


def _difference(front: TracedFront, names: tuple[str, ...]) -> str:
    difference, error = shortfall(front)
    parts = []
    for number, trait in enumerate(front.traits):
        worst = int(np.argmax(np.abs(difference[:, number])))
        parts.append(
            f"{names[trait]} {difference[:, number].mean():+.2f} on average, {difference[worst, number]:+.2f} "
            f"(standard error {error[worst, number]:.2f}) at point {worst + 1}, where it is farthest"
        )
    return "simulated less theory: " + "; ".join(parts)
