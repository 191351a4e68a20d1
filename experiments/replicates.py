"""Replicates that have founders and QTL effects of their own, and a notebook of what has been computed."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxbreed as jb
from jaxbreed.build import draw_panel, prepare, run_prepared
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.kernels.walkmap import sub_cell_bits

TEN_SESSION_H2 = 0.4  # of the mean of ten test sessions: 10 x 0.13 / (1 + 9 x 0.25)
PANEL = 120  # animals, so that the SD of the population they come from is known to 6 %
NORMAL = 1.959964


def founders_of(table: dict[str, Any], individuals: int = PANEL) -> Founders:
    """Founders from the population of a scenario and its seed: more than breed, to scale the effects by."""
    return _apart(draw_panel(jb.Scenario.model_validate(table), None, individuals))


def _apart(founders: Founders) -> Founders:
    """The same with loci that share a place moved to the next one, about 0.01 cM away.

    The tables of a map are as long as there are different places. With as many for every seed, programmes of all seeds
    are compiled once.
    """
    old = founders.map
    per_morgan = 2.0 ** sub_cell_bits(float(old.length.sum(axis=1).max()))
    place = np.floor(old.position * per_morgan + 0.5).astype(np.int64)
    for chromosome in range(old.chromosomes):
        here = np.flatnonzero(old.chromosome == chromosome)
        step = np.arange(here.size)
        place[:, here] = np.maximum.accumulate(place[:, here] - step, axis=1) + step
    position = np.minimum(place / per_morgan, old.length[:, old.chromosome])
    return Founders(founders.haplotypes, GeneticMap(old.chromosome, position, old.length), founders.source)


def run_from(founders: Founders, table: dict[str, Any]) -> jb.History:
    """Runs a scenario from founders drawn before; the effects follow from its seed."""
    scenario = jb.Scenario.model_validate(table)
    return run_prepared(scenario, prepare(scenario, founders=founders))


def ten_session_gain(history: jb.History, trait: int = 0) -> np.ndarray:
    """Gain in founder phenotypic SD of the mean of ten sessions (h2 0.4) by any test: (replicate, generation)."""
    mean = history["trait_mean"][..., trait]
    return np.asarray((mean - mean[:, :1]) / history.sd_additive[trait] * math.sqrt(TEN_SESSION_H2))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a probability (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    share, spread = hits / of, NORMAL**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


class Notebook:
    """Results of single runs, written down at once: a study that is stopped goes on where it was.

    Every line holds what was asked and what came of it. A line counts only for the very same question, so that a change
    of the study's settings starts anew; after a change of jaxbreed itself, remove the file.
    """

    def __init__(self, folder: Path, quick: bool) -> None:
        """Reads what an earlier run left."""
        self.path = folder / f"{'quick' if quick else 'full'}.partial.jsonl"
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.known: dict[str, Any] = {}
        for line in lines:
            try:
                asked, answer = json.loads(line)
            except ValueError:
                continue  # the line at which the run was killed
            self.known[asked] = answer
        if lines:
            whole = (json.dumps([asked, answer]) + "\n" for asked, answer in self.known.items())
            self.path.write_text("".join(whole))

    def ask(self, question: Sequence[Any], compute: Callable[[], Any]) -> Any:
        """The answer from the notebook, or computed and written into it."""
        asked = json.dumps(question)
        if asked not in self.known:
            self.known[asked] = json.loads(json.dumps(compute()))
            with self.path.open("a") as file:
                file.write(json.dumps([asked, self.known[asked]]) + "\n")
        return self.known[asked]

    def close(self) -> None:
        """Removes it, once the study's files are written."""
        self.path.unlink(missing_ok=True)
