"""`jaxbreed optimize`: a search that can be stopped at any moment and goes on where it was."""

import dataclasses
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import numpy as np
from rich.console import Console

from jaxbreed.build import Ready
from jaxbreed.checkpoint import FORMAT, digest
from jaxbreed.course import Course
from jaxbreed.interrupt import Stop, asked_to_stop
from jaxbreed.optimisation import Courses, Gradient, Optimised, Step, courses_of, derived_seed, optimize
from jaxbreed.optimisation_report import Ends, plot_search, save_search, schedule_table, verdict
from jaxbreed.plan import Aim, aim_of, optimizer_of, ready_space
from jaxbreed.progress import bar
from jaxbreed.results import check_writable
from jaxbreed.scenario import Loaded
from jaxbreed.schedule import Schedule
from jaxbreed.space import Space, Theta
from jaxbreed.theory_search import check_possible, search

_HELD_OUT = 2**32  # sets the seeds of judging apart from those of all steps


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    scenario: Path
    output: Path
    resume: bool = False
    force: bool = False
    steps: int | None = None
    gradient: str | None = None
    log: Path | None = None
    quiet: bool = False
    seed: int | None = None

    @property
    def again(self) -> str:
        """The command that asks for the same, without --resume and --force."""
        options = {"steps": self.steps, "seed": self.seed, "gradient": self.gradient, "log": self.log}
        given = "".join(f" --{name} {value}" for name, value in options.items() if value is not None)
        return f"jaxbreed optimize {self.scenario} -o {self.output}{given}" + (" --quiet" if self.quiet else "")

    @property
    def checkpoint(self) -> Path:
        """Beside the output."""
        return self.output.with_suffix(".checkpoint")

    @property
    def figure(self) -> Path:
        """Beside the output."""
        return self.output.with_suffix(".png")


def check_request(request: Request) -> None:
    """Makes sure that everything can be written, and that there is what is to be resumed.

    Raises:
      ValueError: two files are one.
      OSError: a file exists that may not be replaced, is missing, or cannot be written; one sentence.
    """
    if request.gradient not in (None, *get_args(Gradient)):
        raise ValueError(f"--gradient is {request.gradient}; it must be one of {', '.join(get_args(Gradient))}")
    if request.steps is not None and request.steps < 1:
        raise ValueError(f"--steps is {request.steps}; it must be at least 1")
    written = [request.output, request.figure, request.checkpoint, *([request.log] if request.log else [])]
    if len({path.resolve() for path in (request.scenario, *written)}) <= len(written):
        raise ValueError(
            f"--output is {request.output}; scenario, results, figure (.png), checkpoint (.checkpoint) and log must be "
            "different files"
        )
    if request.resume:
        if not request.checkpoint.exists():
            raise FileNotFoundError(
                f"{request.checkpoint} does not exist, so there is nothing to resume; leave --resume out to begin"
            )
    elif request.checkpoint.exists() and not request.force:
        raise FileExistsError(
            f"{request.checkpoint} exists; use --resume to go on from it or --force to begin again and replace it"
        )
    # A search that goes on may replace what it wrote before, and a log is only added to.
    for path in written:
        check_writable(path, request.force or request.resume or path == request.log)


def optimize_and_report(loaded: Loaded, request: Request, console: Console) -> bool:
    """Runs a search, or goes on with one.

    Args:
      loaded: the scenario.
      request: what was asked for.
      console: where to report.

    Returns:
      True when the search came to its end; False when a signal stopped it, with everything saved.

    Raises:
      ValueError: naming the field, its value and what would be right.
      RuntimeError: a lineage died out, or a gradient is not finite.
    """
    done = 0
    with asked_to_stop() as stop:
        try:
            prepared = _prepare(loaded, request, console)
            stop.at_once = False  # from here on a step is finished and saved first
            found = _search(prepared, request, console, stop)
            stop.at_once = True
            done = found.steps
            if found.finished and not stop.asked:
                _report(prepared, found, request, console)
                return True
        except KeyboardInterrupt:  # before the first step, while judging, or at the second signal
            pass
    kept = request.resume or done or (request.checkpoint.exists() and not request.force)
    again = request.again + (" --resume" if kept else "")
    after = f" after step {done}" if done else ""
    what = "saved, go on" if kept else "nothing to save yet, begin again"
    console.print(
        f"stopped by {stop.name}{after}; {what} with: {again}",
        highlight=False,
        soft_wrap=True,
    )
    return False


class _Prepared(NamedTuple):
    loaded: Loaded
    aim: Aim
    ready: Ready
    space: Space
    courses: Courses
    start: Theta | None
    gradient: str
    steps: int

    @property
    def seed(self) -> int:
        return self.loaded.scenario.programme.seed


def _prepare(loaded: Loaded, request: Request, console: Console) -> _Prepared:
    scenario, options = loaded.scenario, loaded.scenario.optimize
    aim = aim_of(scenario)
    if not request.quiet:
        console.print("drawing founders", highlight=False)
    ready, space = ready_space(scenario, aim.levers)
    courses = courses_of(ready.program, ready.founders, aim.replicates, shared_founders=scenario.founders.shared)
    start = None if request.resume else _start(aim, courses, space, scenario.programme.seed, options.warm_start)
    steps = options.steps if request.steps is None else request.steps
    return _Prepared(loaded, aim, ready, space, courses, start, request.gradient or options.gradient, steps)


def _search(prepared: _Prepared, request: Request, console: Console, stop: Stop) -> Optimised:
    scenario, options = prepared.loaded.scenario, prepared.loaded.scenario.optimize
    log = _Log(request.log)
    log.write("begin", resume=request.resume, steps=prepared.steps, seed=prepared.seed, scenario=str(request.scenario))
    with _Progress(console, prepared.steps, request.quiet) as progress:

        def callback(told: Step) -> bool:
            log.write("step", **_plain(told._asdict()))
            progress.step(told)
            return stop.asked

        found = optimize(
            prepared.ready.program,
            prepared.ready.founders,
            prepared.aim.objective,
            prepared.space,
            prepared.start,
            optimizer_of(scenario),
            gradient=cast(Gradient, prepared.gradient),
            replicates=prepared.aim.replicates,
            steps=prepared.steps,
            seed=prepared.seed,
            shared_founders=scenario.founders.shared,
            limits=prepared.aim.limits,
            sigma=options.sigma,
            pairs=options.pairs,
            control=options.control,
            callback=callback,
            checkpoint=request.checkpoint,
            resume=request.resume,
            identity={"scenario": digest(prepared.loaded.text)},
        )
    if stop.asked:
        log.write("stopped", signal=stop.name, steps=found.steps)
    return found


def _report(prepared: _Prepared, found: Optimised, request: Request, console: Console) -> None:
    aim, scenario = prepared.aim, prepared.loaded.scenario
    traits, title = prepared.ready.program.traits.names, scenario.title or scenario.preset.common
    ends = _judge(aim, prepared.courses, prepared.space, found, prepared.seed)
    attributes = {
        "objective": repr(aim.objective),
        "limits": repr(aim.limits),
        "levers": repr(aim.levers),
        "gradient": prepared.gradient,
        "checkpoint_format": FORMAT,
    }
    text, seed = prepared.loaded.text, prepared.seed
    save_search(request.output, found, ends, traits, aim.limits, scenario_text=text, seed=seed, attributes=attributes)
    levers = [lever.name for lever in aim.levers]
    plot_search(found, ends, levers, traits, request.figure, title=title)
    _Log(request.log).write("end", steps=found.steps, eggs=found.eggs)
    console.print(f"[bold]{title}[/bold]")
    if scenario.preset.hypothetical:
        console.print(f"[yellow]Hypothetical.[/yellow] {scenario.preset.note.strip()}", highlight=False)
    console.print(schedule_table(levers, found.schedule, traits))
    console.print(verdict(aim.objective, aim.limits, ends))
    console.print(f"{found.steps} steps, {found.eggs:,} eggs simulated", highlight=False)
    console.print(f"results: {request.output}\nfigure:  {request.figure}", highlight=False, soft_wrap=True)


def _start(aim: Aim, courses: Courses, space: Space, seed: int, warm: bool) -> Theta:
    def by_theory(schedule: Schedule) -> Course:
        return courses.expected(schedule, seed)

    theta = space.theta()
    if aim.limits:
        check_possible(by_theory, aim.limits, space, theta)
    return search(by_theory, aim.objective, space, theta, limits=aim.limits).theta if warm else theta


def _judge(aim: Aim, courses: Courses, space: Space, found: Optimised, seed: int) -> Ends:
    """Simulates the start and what was found on seeds of their own, so often as makes the replicates wanted."""
    rounds = -(-aim.held_out // aim.replicates)
    seeds = [derived_seed(seed, _HELD_OUT, number) for number in range(rounds)]

    def course(schedule: Schedule) -> Course:
        runs = [courses.simulated(schedule, s) for s in seeds]
        return Course(*(np.concatenate([np.asarray(x) for x in parts]) for parts in zip(*runs, strict=True)))

    first = space.start
    return Ends(first, found.schedule, course(first), course(found.schedule))


class _Log:
    """Lines of JSON, each written at once: a kill leaves no half of one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def write(self, event: str, **what: Any) -> None:
        if self._path is None:
            return
        line = json.dumps({"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds")} | what)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(handle, (line + "\n").encode())
        finally:
            os.close(handle)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


class _Progress:
    """A bar of steps with the time left."""

    def __init__(self, console: Console, steps: int, quiet: bool) -> None:
        self._bar = bar(console, quiet)
        self._steps = steps
        self._task = self._bar.add_task(f"first of {steps} steps", total=steps, detail="")

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, told: Step) -> None:
        next_step = min(told.step + 1, self._steps)
        self._bar.update(
            self._task,
            completed=told.step,
            description=f"step {next_step} of {self._steps}",
            detail=f"objective {told.value:.3f}",
        )
