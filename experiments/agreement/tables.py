"""The table of the page, from its numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

NAMES = {"chromax": "ChromaX", "fwdpy11": "fwdpy11", "pybrops": "PyBrOpS", "simupop": "simuPOP"}


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _signed(z: float) -> str:
    return f"{z:+.2f}" if abs(z) < 100 else f"{z:+.0f}"


def _with(value: float, se: float, digits: int = 4) -> str:
    return f"{value:.{digits}f} ({se:.{digits}f})"


def table_of(runs: dict[str, Any]) -> str:
    """Markdown: AlphaSimR, what would be seen, founders, files, meiosis, the programme in peers."""
    parts = (_alphasimr, _controls, _founders, _files, _meiosis, _programmes)
    return "\n".join(line for part in parts for line in part(runs)).rstrip() + "\n"


def _alphasimr(runs: dict[str, Any]) -> list[str]:
    of = runs["alphasimr"]
    rows = []
    for name, columns in of["sets"].items():
        for column, c in columns.items():
            at = int(np.abs(c["z"]).argmax())
            values = [_with(c[who][-1], c[f"{who}_se"][-1]) for who in ("ours", "theirs")]
            difference = _with(c["ours"][-1] - c["theirs"][-1], float(np.hypot(c["ours_se"][-1], c["theirs_se"][-1])))
            spread = f"{c['spread']:.2f} (p {c['spread_p']:.3f})"
            rows.append(
                [name, column, *values, difference, _signed(c["z"][-1]), f"{_signed(c['z'][at])} ({at + 1})", spread]
            )
    f = of["family"]
    head = ("set", "column", f"jaxbreed, {of['replicates']} replicates", f"AlphaSimR, {of['theirs']}")
    head += ("difference", "z", "largest z (generation)", "variance between replicates, ratio")
    return [
        "**AlphaSimR 2.1.0**, generation 12, means with standard errors; "
        f"largest of {f['comparisons']} deviates {f['largest']:.2f}, {f['threshold']:.2f} is passed with a chance of "
        f"5 % (permutations; Bonferroni {f['bonferroni']:.2f}), p {f['p']:.3f}",
        "",
        *_lines(head, rows),
    ]


def _controls(runs: dict[str, Any]) -> list[str]:
    rows = [
        [label, _signed(c["z"]), c["column"], str(c["generation"])]
        for label, c in runs["alphasimr"]["controls"].items()
    ]
    head = ("additive programme, but", "largest z", "column", "generation")
    return ["**What this comparison would see**", "", *_lines(head, rows)]


def _founders(runs: dict[str, Any]) -> list[str]:
    of = runs["founders"]
    lines = [
        f"**Founders**: 20 animals, {of['chromosomes']} chromosomes of 0.5 Morgan and 80 loci, and as many by plain "
        f"msprime measured by tskit; largest of {of['rows_z']} deviates {of['largest_z']:.2f} "
        f"({of['threshold']:.2f} is passed with a chance of 5 %), from theory {of['largest_z_theory']:.2f} of "
        f"{of['rows_z_theory']} ({of['threshold_theory']:.2f}). About: Hill and Weir's and Sved's approximations",
        "",
    ]
    rows = []
    for name, found in of["histories"].items():
        classes = [row for row in found if "copies" in row["what"]]
        for row in found:
            if row not in classes[1:-1]:
                theory = ["", ""]
                if "theory" in row:
                    theory = [f"{row['theory']:.4f}", _signed(row["z_theory"])]
                elif "hill_weir" in row:
                    theory[0] = f"about {row['hill_weir']:.4f}, {row['sved']:.4f}"
                values = [_with(row[who], row[f"{who}_se"]) for who in ("ours", "plain")]
                rows.append([name, row["what"], *values, _signed(row["z"]), *theory])
        most = max(np.abs([row["z"] for row in classes]))
        theory = f"{max(np.abs([row['z_theory'] for row in classes])):.2f}" if "z_theory" in classes[0] else ""
        rows.append([name, f"all {len(classes)} classes of copies: largest", "", "", f"{most:.2f}", "", theory])
    head = ("history", "statistic", "jaxbreed", "msprime and tskit", "z", "theory", "z from theory")
    return lines + _lines(head, rows)


def _files(runs: dict[str, Any]) -> list[str]:
    rows = [[what, f"{values:,}", str(wrong)] for what, values, wrong in runs["files"]]
    return ["**Files**", "", *_lines(("compared", "values", "different"), rows)]


def _meiosis(runs: dict[str, Any]) -> list[str]:
    of = runs["peers"]
    first = of["meiosis"]["jaxbreed"]
    rows = [["Haldane", "", *(f"{row['haldane']:.4f}" for row in first)]]
    for name, found in of["meiosis"].items():
        rows.append(
            [_named(name), f"{of['gametes'][name]:,}", *(f"{r['seen']:.4f} ({_signed(r['z_haldane'])})" for r in found)]
        )
    head = ("given map", "gametes", *(row["what"] for row in first))
    text = "**Meiosis**, in brackets the deviate from Haldane's expectation"
    return [
        f"{text}; of {sum(map(len, of['meiosis'].values()))}, {of['threshold']:.2f} is passed with 5 %",
        "",
        *_lines(head, rows),
    ]


def _named(name: str) -> str:
    peer, _, option = name.partition(", ")
    return f"{NAMES.get(peer, peer)}{', ' if option else ''}{option}"


def _programmes(runs: dict[str, Any]) -> list[str]:
    rows = []
    for name, peer in runs["peers"]["peers"].items():
        if "columns" in peer:
            f = peer["family"]
            cells = [
                f"{_with(c['theirs'][-1], c['theirs_se'][-1], 3)} {_signed(c['z'][-1])}"
                for c in (peer["columns"][column] for column in ("mean1", "mean2", "var1", "het", "fixed"))
            ]
            verdict = f"{f['largest']:.2f} of {f['comparisons']} ({f['threshold']:.2f}), p {f['p']:.3f}"
            rows.append([NAMES[name], str(peer["replicates"]), *cells, verdict])
    ours = runs["alphasimr"]["sets"]["additive"]
    cells = [_with(ours[c]["ours"][-1], ours[c]["ours_se"][-1], 3) for c in ("mean1", "mean2", "var1", "het", "fixed")]
    rows.insert(0, ["jaxbreed", str(runs["alphasimr"]["replicates"]), *cells, ""])
    head = ("gametes from", "replicates", "mean1", "mean2", "var1", "het", "fixed", "largest z (passed with 5 %)")
    return [
        "**The additive programme with peers' gametes**, generation 12: mean (standard error), z",
        "",
        *_lines(head, rows),
    ]
