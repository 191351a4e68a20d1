"""Presets on the screen: species and assays, as a list or one with the source of every number."""

from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jaxbreed import assays, species
from jaxbreed.scenario import Scenario


def show_all_species(console: Console) -> None:
    """Prints a row for each species."""
    table = _table("species", "common name", "eggs (thousand)", "years", "n", "Morgans", "sires")
    for preset in map(species.load, species.available()):
        low, high = preset.eggs.value
        table.add_row(
            preset.key,
            preset.common + (" *" if preset.hypothetical else ""),
            f"{low / 1000:g}-{high / 1000:g}",
            f"{preset.generation_years.value:g}",
            str(preset.chromosomes.value),
            f"{preset.map_morgans_female.value:g}, {preset.map_morgans_male.value:g}",
            "-".join(str(n) for n in preset.sires.value),
        )
    console.print(table)
    console.print(
        "years: a generation; n: chromosomes; Morgans: female, male map; * hypothetical in captivity. "
        "`jaxbreed species NAME` shows every number with its source."
    )


def show_species(console: Console, name: str) -> None:
    """Prints one species.

    Raises:
      ValueError: no species has that name.
    """
    preset = species.load(name)
    console.print(f"[bold]{preset.common}[/bold] ({preset.latin})\n{preset.note.strip()}\n", highlight=False)
    console.print(_sources(preset))


def show_all_assays(console: Console) -> None:
    """Prints a row for each assay."""
    table = _table("assay", "traits", "sessions", "R", "h2", "h2 of mean", "hours")
    for preset in map(assays.load, assays.available()):
        repeats, sessions = preset.repeatability.value, preset.sessions.value
        h2 = None if preset.h2 is None else preset.h2.value
        table.add_row(
            preset.key + (" *" if preset.hypothetical else ""),
            ", ".join(preset.traits),
            str(sessions),
            f"{repeats:g}",
            "-" if h2 is None else f"{h2:g}",
            "-" if h2 is None else f"{assays.averaged_h2(h2, repeats, sessions):.2f}",
            f"{preset.staff_hours.value:g}",
        )
    console.print(table)
    console.print(
        "R, h2: repeatability and heritability of one session; h2 of mean: of the mean of all sessions; hours: staff "
        "hours an animal; * no value of this test is known in any cephalopod. `jaxbreed assays NAME` shows every "
        "number with its source."
    )


def show_assay(console: Console, name: str) -> None:
    """Prints one assay, and what its sessions add up to.

    Raises:
      ValueError: no assay has that name.
    """
    preset = assays.load(name)
    console.print(f"[bold]{preset.title}[/bold]\n{preset.subjects}\n{preset.note}\n", highlight=False)
    console.print(_sources(preset))
    repeats, numbers = preset.repeatability.value, (1, 2, 3, 5, 10, 20)
    table = Table("sessions", *map(str, numbers), box=SIMPLE_HEAD)
    if preset.h2 is not None:
        row = [f"{assays.averaged_h2(preset.h2.value, repeats, n):.2f}" for n in numbers]
        table.add_row("h2 of their mean", *row)
    table.add_row("repeatability", *(f"{assays.averaged_repeatability(repeats, n):.2f}" for n in numbers))
    console.print(table)


def show_caveats(console: Console, scenario: Scenario) -> None:
    """Prints what is hypothetical about a scenario's animal and its assays."""
    preset = scenario.preset
    notes = [preset.note.strip()] if preset.hypothetical else []
    notes += [f"{field} {a.key}: {a.note}" for field, a in scenario.assays.items() if a.hypothetical]
    for note in notes:
        console.print(f"[yellow]Hypothetical.[/yellow] {note}", highlight=False)


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in ("common name", "traits"))
    return table


def _sources(preset: BaseModel) -> Table:
    """Every number of a preset with its evidence and source."""
    table = Table("what", "value", "evidence", "source")
    for key, entry in preset.model_dump(exclude_none=True).items():
        quantities = entry if key == "demography" else {key: entry}
        for what, quantity in quantities.items():
            if isinstance(quantity, dict) and "value" in quantity:
                table.add_row(what, str(quantity["value"]), quantity["evidence"], quantity["source"])
    return table
