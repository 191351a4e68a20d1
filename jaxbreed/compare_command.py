"""What `jaxbreed compare` does once its arguments are there."""

from pathlib import Path

from rich.console import Console

from jaxbreed.arms import PolicyArms, policy_arms, read_arms
from jaxbreed.build import expected_total_eggs
from jaxbreed.comparison import Arm, Comparison, arm_scenarios, compare
from jaxbreed.comparison_figure import plot_comparison
from jaxbreed.comparison_file import save_comparison
from jaxbreed.comparison_table import comparison_table
from jaxbreed.history import History
from jaxbreed.interrupt import noticed
from jaxbreed.listing import show_caveats
from jaxbreed.progress import RunProgress
from jaxbreed.scenario import Loaded, Scenario


def choose_arms(scenario: Scenario, policies: str | None, file: Path | None) -> PolicyArms:
    """The arms that the command line asks for, checked.

    Raises:
      ValueError: both ways of naming arms are used, or an arm cannot be run; one sentence.
    """
    if policies is not None and file is not None:
        raise ValueError("--policies and --arms are both given; name arms in one way")
    if file is not None:
        chosen = PolicyArms(read_arms(file), {})
    else:
        names = None if policies is None else [name.strip() for name in policies.split(",")]
        chosen = policy_arms(scenario, names)
    arm_scenarios(scenario, chosen.arms)
    return chosen


def compare_and_report(
    loaded: Loaded, arms: tuple[Arm, ...], left_out: dict[str, str], output: Path, console: Console, quiet: bool
) -> None:
    """Runs a comparison: prints its table, writes its file after every arm, and its figure."""
    scenario, text = loaded
    preset, programme = scenario.preset, scenario.programme
    title = scenario.title or f"{preset.common} ({preset.latin})"
    console.print(f"[bold]{title}[/bold]")
    console.print(
        f"{len(arms)} arms, each {scenario.generations} generations, {programme.lineages} lineages, "
        f"{programme.replicates} replicates, seed {programme.seed}, unless it says otherwise"
    )
    show_caveats(console, scenario)
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}", highlight=False, markup=False)
    scenarios = arm_scenarios(scenario, arms).values()
    expected, rounds = sum(map(expected_total_eggs, scenarios)), next(iter(scenarios)).generations
    with noticed() as ctrl_c, RunProgress(console, rounds, expected, quiet) as progress:

        def on_generation(history: History) -> None:
            ctrl_c.check()
            progress.on_generation(history)

        def on_finished(so_far: Comparison) -> None:
            save_comparison(output, so_far, scenario_text=text, seed=programme.seed, arms=arms)

        comparison = compare(
            scenario,
            arms,
            on_founders=progress.on_founders,
            on_arm=progress.on_arm,
            on_generation=on_generation,
            on_eggs=progress.on_eggs,
            on_finished=on_finished,
        )
        seconds = progress.seconds
    figure = output.with_suffix(".png")
    plot_comparison(comparison, figure, title=title)
    console.print(comparison_table(comparison))
    console.print(f"{progress.eggs:,} eggs in {seconds:.0f} s, founders and compilation included")
    console.print(f"results: {output}\nfigure:  {figure}", highlight=False, soft_wrap=True)
