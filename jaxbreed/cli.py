"""The command line: run, compare, optimise, trace a front, list presets, verify this machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

# Everything heavy is imported inside the commands, so that `--help` answers at once.
if TYPE_CHECKING:
    from rich.console import Console

    from jaxbreed.scenario import Loaded

BAD_INPUT, FAILED, STOPPED = 2, 1, 130
app = typer.Typer(
    help="Simulate every egg of very large clutches, over many lineages and generations of selection.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ScenarioFile = Annotated[Path, typer.Argument(help="Scenario file (TOML).", show_default=False)]
OutputFile = Annotated[
    Path, typer.Option("--output", "-o", help="HDF5 file to write; a figure (.png) goes beside it.", show_default=False)
]


def main() -> None:
    """Runs the command line: bad input gives one sentence and exit code 2, a run that fails exit code 1."""
    app()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one sentence; anything else keeps its traceback."""
    try:
        yield
    except typer.Exit:  # a RuntimeError to Python
        raise
    except (ValueError, OSError) as error:
        typer.echo(f"jaxbreed: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except RuntimeError as error:
        typer.echo(f"jaxbreed: {error}", err=True)
        raise typer.Exit(FAILED) from None


Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]
Seed = Annotated[int | None, typer.Option(help="Instead of the scenario's seed.")]
Replicates = Annotated[int | None, typer.Option(help="Instead of the scenario's number of replicates.")]
Cores = Annotated[int | None, typer.Option(help="CPU cores to use (default all); results do not depend on it.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@app.command()
def run(
    scenario: ScenarioFile,
    output: OutputFile,
    force: Force = False,
    seed: Seed = None,
    replicates: Replicates = None,
    cores: Cores = None,
    quiet: Quiet = False,
) -> None:
    """Run a scenario: print a table, write the results and a figure."""
    with _plain_errors():
        from jaxbreed.build import check
        from jaxbreed.cores import require_devices, use_cores
        from jaxbreed.scenario import read_scenario

        loaded = read_scenario(scenario, seed=seed, replicates=replicates)
        use_cores(cores)
        require_devices()
        check(loaded.scenario)
        _check_output(output, force, scenario)
        with _stopping(output, "generations"):
            _run_and_report(loaded, output, _console(), quiet)


def _console() -> "Console":
    from rich.console import Console

    # A file or a pipe has no width of its own: wide enough for three traits.
    return Console() if sys.stdout.isatty() else Console(width=110)


def _check_output(output: Path, force: bool, *inputs: Path) -> None:
    from jaxbreed.results import check_writable

    if output.suffix == ".png" or output.resolve() in [path.resolve() for path in inputs]:
        raise ValueError(f"--output is {output}; it must be another file than the scenario and the figure (.png)")
    check_writable(output, force)
    check_writable(output.with_suffix(".png"), force)


@contextmanager
def _stopping(output: Path | None, what: str) -> Iterator[None]:
    """Ends with one sentence on what is left when Ctrl-C is pressed."""

    def stamp() -> int | None:
        return output.stat().st_mtime_ns if output is not None and output.exists() else None

    written_before = stamp()
    try:
        yield
    except KeyboardInterrupt:
        written = stamp()
        kept = "nothing was written" if written == written_before else f"{output} holds the {what} so far"
        typer.echo(f"jaxbreed: stopped; {kept}", err=True)
        raise typer.Exit(STOPPED) from None


def _run_and_report(loaded: "Loaded", output: Path, console: "Console", quiet: bool) -> None:
    import resource

    from jaxbreed.build import expected_total_eggs, run
    from jaxbreed.figure import plot
    from jaxbreed.history import History
    from jaxbreed.interrupt import noticed
    from jaxbreed.listing import show_caveats
    from jaxbreed.progress import RunProgress
    from jaxbreed.results import save
    from jaxbreed.summary import closing_table

    scenario, text = loaded
    preset, programme = scenario.preset, scenario.programme
    title, years = scenario.title or f"{preset.common} ({preset.latin})", preset.generation_years.value
    console.print(f"[bold]{title}[/bold]")
    console.print(
        f"{scenario.generations} generations of {years:g} years, {programme.lineages} lineages, "
        f"{programme.replicates} replicates, seed {programme.seed}"
    )
    show_caveats(console, scenario)

    expected = expected_total_eggs(scenario)
    with noticed() as ctrl_c, RunProgress(console, scenario.generations, expected, quiet) as progress:

        def on_generation(history: History) -> None:
            save(output, history, scenario_text=text, seed=programme.seed)
            ctrl_c.check()
            progress.on_generation(history)

        history = run(scenario, on_founders=progress.on_founders, on_generation=on_generation, on_eggs=progress.on_eggs)
        breeding = progress.seconds - progress.founder_seconds
    figure = output.with_suffix(".png")
    plot(history, figure, title=title, generation_years=years)
    console.print(closing_table(history, generation_years=years))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(
        f"{progress.eggs:,} eggs in {breeding:.0f} s ({progress.eggs / breeding / 1e6:.2f} million eggs/s, compilation "
        f"included), founders {progress.founder_seconds:.0f} s, peak memory {memory:.1f} GiB"
    )
    console.print(f"results: {output}\nfigure:  {figure}", highlight=False, soft_wrap=True)


@app.command()
def compare(
    scenario: ScenarioFile,
    output: OutputFile,
    policies: Annotated[
        str | None,
        typer.Option(help="Policies, by comma; left out: all that the scenario allows.", show_default=False),
    ] = None,
    arms: Annotated[
        Path | None,
        typer.Option(help="Instead of policies: a TOML file whose tables change the scenario.", show_default=False),
    ] = None,
    force: Force = False,
    seed: Seed = None,
    replicates: Replicates = None,
    cores: Cores = None,
    quiet: Quiet = False,
) -> None:
    """Compare policies, or other arms of a scenario, from the same founders and seeds."""
    with _plain_errors():
        from jaxbreed.compare_command import choose_arms, compare_and_report
        from jaxbreed.cores import require_devices, use_cores
        from jaxbreed.scenario import read_scenario

        loaded = read_scenario(scenario, seed=seed, replicates=replicates)
        use_cores(cores)
        require_devices()
        chosen, left_out = choose_arms(loaded.scenario, policies, arms)
        _check_output(output, force, scenario, *([] if arms is None else [arms]))
        with _stopping(output, "arms"):
            compare_and_report(loaded, chosen, left_out, output, _console(), quiet)


@app.command()
def optimize(
    scenario: ScenarioFile,
    output: OutputFile,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the output.")] = False,
    force: Force = False,
    steps: Annotated[int | None, typer.Option(help="Instead of the scenario's steps; more may be asked for.")] = None,
    seed: Seed = None,
    gradient: Annotated[
        str | None, typer.Option(help="costate, theory or pgpe, instead of the scenario's.", show_default=False)
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="File to which each step adds a line of JSON.", show_default=False)
    ] = None,
    cores: Cores = None,
    quiet: Quiet = False,
) -> None:
    """Search for the best schedule. SIGINT and SIGTERM finish the step, save, and end with exit code 0."""
    with _plain_errors():
        from jaxbreed.build import check
        from jaxbreed.cores import require_devices, use_cores
        from jaxbreed.optimize_command import Request, check_request, optimize_and_report
        from jaxbreed.plan import aim_of
        from jaxbreed.scenario import read_scenario

        loaded = read_scenario(scenario, seed=seed)
        use_cores(cores)
        require_devices()
        check(loaded.scenario)
        aim_of(loaded.scenario)
        request = Request(scenario, output, resume, force, steps, gradient, log, quiet, seed)
        check_request(request)
        optimize_and_report(loaded, request, _console())


@app.command()
def front(
    scenario: ScenarioFile,
    output: OutputFile,
    traits: Annotated[
        str | None, typer.Option(help="Two traits, by comma; left out: the first two.", show_default=False)
    ] = None,
    points: Annotated[int, typer.Option(help="Points of the front.")] = 15,
    constant: Annotated[int, typer.Option(help="Points of constant weights beside it.")] = 5,
    method: Annotated[str, typer.Option(help="chebyshev or epsilon.")] = "chebyshev",
    force: Force = False,
    seed: Seed = None,
    replicates: Replicates = None,
    cores: Cores = None,
    quiet: Quiet = False,
) -> None:
    """Trace what two traits can gain together: a Pareto front by theory, each point simulated."""
    with _plain_errors():
        from jaxbreed.build import check
        from jaxbreed.cores import require_devices, use_cores
        from jaxbreed.front_command import check_front, front_and_report
        from jaxbreed.scenario import read_scenario

        loaded = read_scenario(scenario, seed=seed, replicates=replicates)
        use_cores(cores)
        require_devices()
        check(loaded.scenario)
        numbers = check_front(loaded.scenario, traits, points, constant, method)
        _check_output(output, force, scenario)
        with _stopping(output, "points"):
            front_and_report(loaded, numbers, points, constant, method, output, _console(), quiet)


@app.command()
def species(name: Annotated[str | None, typer.Argument(help="Show one species with its sources.")] = None) -> None:
    """List the species presets, or show one with the source of every number."""
    with _plain_errors():
        from rich.console import Console

        from jaxbreed.listing import show_all_species, show_species

        show_all_species(Console()) if name is None else show_species(Console(), name)


@app.command()
def assays(name: Annotated[str | None, typer.Argument(help="Show one assay with its sources.")] = None) -> None:
    """List the assay presets, or show one with the source of every number."""
    with _plain_errors():
        from rich.console import Console

        from jaxbreed.listing import show_all_assays, show_assay

        show_all_assays(Console()) if name is None else show_assay(Console(), name)


@app.command()
def verify(
    full: Annotated[bool, typer.Option("--full", help="Clutches of full size: minutes instead of seconds.")] = False,
    only: Annotated[
        str | None, typer.Option(help="Checks, by comma: V1,V11. Left out: all.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Report (.json, .csv, .h5); a figure (.png) beside it.", show_default=False
        ),
    ] = None,
    force: Force = False,
    cores: Cores = None,
    quiet: Quiet = False,
) -> None:
    """Hold this machine against the laws of meiosis, inheritance and selection. Exit code 1 if one does not hold."""
    with _plain_errors():
        from jaxbreed.cores import require_devices, use_cores
        from jaxbreed.verification.file import check_ending
        from jaxbreed.verification.registry import Effort, choose
        from jaxbreed.verify_command import verify_and_report

        if output is not None:
            check_ending(output)
            _check_output(output, force)
        use_cores(cores)
        require_devices()
        with _stopping(output, "rows"):
            good = verify_and_report(choose(only), Effort(full, seed), output, _console(), quiet).good
    if not good:
        raise typer.Exit(FAILED)


@app.command()
def doctor() -> None:
    """Check this machine: versions, devices, and whether the kernels compute what they should."""
    from rich.console import Console

    from jaxbreed.cores import require_devices
    from jaxbreed.doctor import examine

    console, well = Console(), True
    with _plain_errors():
        require_devices()
    for good, line in examine():
        well &= good
        console.print(f"[green]ok[/green]    {line}" if good else f"[red]wrong[/red] {line}", highlight=False)
    if not well:
        raise typer.Exit(FAILED)
