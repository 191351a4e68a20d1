"""Laws that are not held against anything here, and why."""

from collections.abc import Iterator

from jaxbreed.verification.findings import Finding, not_run
from jaxbreed.verification.registry import Effort, check


@check("V16", "chance of fixation")
def fixation(effort: Effort) -> Iterator[Finding]:
    """Kimura's chances of fixation are a diffusion limit."""
    del effort
    yield not_run(
        "fixation of one locus under selection, (1 - exp(-4 N s p)) / (1 - exp(-4 N s))",
        "a diffusion limit for one locus with a selection coefficient; a herd small enough to fix in a test is off it "
        "by more than the test can see, and selection here is truncation of a trait of many loci",
        "Kimura 1962; Robertson 1960",
    )
