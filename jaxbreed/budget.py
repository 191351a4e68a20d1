"""What a generation is expected to cost, and whether the budget allows it."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from jaxbreed.costs import ITEMS, Cost, Prices
from jaxbreed.program import Program, Settings
from jaxbreed.stages import Stage

_WORDS = ("eggs laid", "genotypes", "animals reared", "test sessions", "breeders")  # in the order of `Cost`


def expected_cost(
    programme: Program | Settings, prices: Prices, *, males: int | None = None, tests: int | None = None
) -> Cost:
    """What a generation of one replicate is expected to cost with the largest clutches and all stages full.

    Numbers of survivors are the expected ones, without genetic load; places for sires are filled with as many different
    males as are kept, or, with stored sperm, with as many again of the generation before; where predictions are used
    there is a model already (in generation 0 a screen by prediction reads nothing).

    Args:
      programme: a programme or its rules.
      prices: what each item costs.
      males: the most different males kept, in each lineage (scope within) or altogether; None for any number.
      tests: the most animals tested of a clutch in programmes without stages; None for as many as the rules say.

    Returns:
      Money by item; its `total`, with any number of males, is what a budget is held against. With fewer males
      generation 0 may cost more, for founders fill all places.
    """
    settings = programme.settings if isinstance(programme, Program) else programme
    several = 2 if settings.storage > 0 and males is not None else 1
    return prices.of(_units(_outline(settings, None if males is None else several * males, tests)))


def check_budget(
    settings: Settings, prices: Prices | None, *, males: int | None = None, tests: int | None = None
) -> None:
    """Checks that the largest generation is expected to keep to the budget.

    That may be generation 0: the founders fill every place with another animal, however few males are kept later. With
    stored sperm, so may the breeders of generation 1, as the first males stored are founders.

    Args:
      settings: the rules.
      prices: what each item costs and the budget; None for no limit.
      males: the most different males kept.
      tests: the most animals tested of a clutch, where the schedule says so.

    Raises:
      ValueError: it would cost more; with what costs most and what number would fit.
    """
    if prices is None or prices.budget is None:
        return
    later = _outline(settings, None if settings.storage > 0 else males, tests)
    generations = (_outline(settings, None, tests)._replace(model=False), later)
    budget = prices.budget

    def fit(outlines: Iterable[_Outline]) -> bool:
        return all(prices.of(_units(outline)).total <= budget * (1 + 1e-9) for outline in outlines)

    if fit(generations):  # expected survivors are no whole numbers: hence the allowance
        return
    outline = max(generations, key=lambda outline: prices.of(_units(outline)).total)
    units = _units(outline)
    cost = prices.of(units)
    item = max(range(len(ITEMS)), key=lambda i: cost[i])
    knob = _knob(outline, ITEMS[item])
    most = _most(knob, lambda value: fit(knob.turned(each, value) for each in generations))
    now = "no limit" if knob.now is None else f"{knob.now:,}"
    fits = f"at most {most:,} would fit" if most else "no number of them would fit"
    raise ValueError(
        f"costs.budget is {_say(prices.budget)}, but a generation of one replicate would cost {_say(cost.total)} "
        f"{prices.currency} with the largest clutches and full stages, of which {_say(cost[item])} for "
        f"{_say(units[item])} {_WORDS[item]}; {knob.field} is {now}, {fits}"
    )


class _Outline(NamedTuple):
    """What costs depend on. Unlike `Settings` it may hold what could not be run."""

    lineages: int
    eggs: int  # of the largest clutch
    survival: float
    tested: int | None
    scheduled: bool  # the schedule says how many are tested
    sessions: int
    stages: tuple[Stage, ...]
    places: int  # for sires, in a clutch
    males: int | None
    within: bool
    learns: bool  # tested animals are genotyped
    screens_eggs: bool  # the first stage scores every egg
    chooses_eggs: bool  # so does prediction after the last
    model: bool = True  # there is one already, so that screens by prediction read whom they score

    @property
    def all_eggs(self) -> bool:
        """Whether every egg that lives is genotyped."""
        return self.chooses_eggs or (self.screens_eggs and _reads(self, self.stages[0]))


def _outline(settings: Settings, males: int | None, tests: int | None) -> _Outline:
    plan, stages = settings.prediction, settings.stages
    return _Outline(
        lineages=settings.lineages,
        eggs=settings.eggs[1],
        survival=settings.survival,
        tested=settings.tested if tests is None else tests,
        scheduled=tests is not None,
        sessions=settings.sessions,
        stages=stages,
        places=settings.sires[1],
        males=males,
        within=settings.scope == "within",
        learns=plan is not None,
        screens_eggs=bool(stages) and stages[0].kind == "screen",
        chooses_eggs=plan is not None and plan.choose == "eggs",
    )


class _Passage(NamedTuple):
    """Animals of one clutch in one stage."""

    stage: Stage
    entering: float
    living: float


def _passages(outline: _Outline) -> Iterator[_Passage]:
    living = outline.eggs * outline.survival
    for number, stage in enumerate(outline.stages):
        if number == 0 and stage.kind == "screen":
            entering = living  # a screen that comes first scores every egg
        else:
            entering = min(living, stage.capacity or living)
            living = entering * stage.survival
        yield _Passage(stage, entering, living)


def _units(outline: _Outline) -> Cost:
    """Numbers of a generation."""
    clutches, hatched = outline.lineages, outline.eggs * outline.survival
    groups, places = (clutches, outline.places) if outline.within else (1, clutches * outline.places)
    breeders = clutches + groups * (places if outline.males is None else min(places, outline.males))
    if not outline.stages:
        tested = clutches * min(hatched, outline.tested or hatched)
        return Cost(clutches * outline.eggs, 0.0, tested, tested * outline.sessions, breeders)
    passages = list(_passages(outline))
    tests = [p for p in passages if p.stage.kind == "test"]
    # The first come of those who enter: later stages have the same animals again.
    raised = next((p.entering for p in (*(p for p in passages if p.stage.kind == "rear"), *tests)), 0.0)
    read = next((p.living for p in passages if _reads(outline, p.stage)), 0.0)
    return Cost(
        egg=clutches * outline.eggs,
        genotype=clutches * (hatched if outline.all_eggs else read),
        reared=clutches * raised,
        session=clutches * sum(p.living * p.stage.sessions for p in tests),
        breeder=breeders,
    )


def _reads(outline: _Outline, stage: Stage) -> bool:
    if stage.kind == "screen":
        return stage.accuracy is not None or outline.model
    return stage.kind == "test" and outline.learns


class _Knob(NamedTuple):
    """A number of the scenario by which an item can be made less."""

    field: str
    now: int | None
    range: tuple[int, int]
    turned: Callable[[_Outline, int], _Outline]


def _knob(outline: _Outline, item: str) -> _Knob:
    """The number on which an item depends first."""
    hatched = max(1, int(outline.eggs * outline.survival))
    of_eggs = _Knob("clutch.eggs", outline.eggs, (1, outline.eggs), lambda other, value: other._replace(eggs=value))
    if item == "egg" or (item == "genotype" and outline.all_eggs):
        return of_eggs
    if item == "breeder":
        most = outline.lineages
        return _Knob("programme.lineages", most, (1, most), lambda other, value: other._replace(lineages=value))
    if not outline.stages:
        now = outline.tested
        field = "schedule.tests" if outline.scheduled else "clutch.tested"
        return _Knob(field, now, (1, now or hatched), lambda other, value: other._replace(tested=value))
    passages = list(_passages(outline))
    kinds = [p.stage.kind for p in passages]
    if item == "genotype":
        number = next(n for n, p in enumerate(passages) if _reads(outline, p.stage))
    elif item == "session":
        number = max(
            (n for n, kind in enumerate(kinds) if kind == "test"),
            key=lambda n: passages[n].living * passages[n].stage.sessions,
        )
    else:
        number = kinds.index("rear" if "rear" in kinds else "test")
    stages, now = outline.stages, outline.stages[number].capacity

    def turned(other: _Outline, value: int) -> _Outline:
        changed = Stage(**{**vars(stages[number]), "capacity": value})
        return other._replace(stages=(*stages[:number], changed, *stages[number + 1 :]))

    return _Knob(f"stages.{number + 1}.capacity", now, (2, max(2, now or hatched)), turned)


def _most(knob: _Knob, fits: Callable[[int], bool]) -> int:
    """The largest number that fits, by bisection; 0 if none does."""
    low, high = knob.range
    if not fits(low):
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _say(number: float) -> str:
    return f"{number:,.12g}"
