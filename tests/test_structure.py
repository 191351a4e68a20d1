"""The house: who imports whom, what importing costs, and the compiler bug that a jax version is excluded for."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# Each module may import those of the lines above it (and of its own line).
LAYERS = (
    {"checks", "edges", "pgpe", "truncation"},
    {"kernels", "genome", "species", "schedule", "cores", "linkage", "interrupt", "battery", "stages", "sites"},
    {"tables", "assays"},
    {"theory", "index", "twostage", "accuracy", "costs", "aims", "scenario_tables"},
    {
        "founders",
        "traits",
        "pedigree",
        "relationship",
        "reml",
        "prediction",
        "coancestry",
        "contributions",
        "mapfile",
        "covariance",
    },
    {"family_values"},
    {"effects", "genetic_load", "dominance", "policies", "sentences"},
    {"columns"},
    {"markers"},
    {"program", "scenario", "agreement", "places", "variants"},
    {"vcf"},
    {"vcf_writer", "founderfile"},
    {"population", "variance", "statistics", "budget"},
    {"clutch", "selection", "moments"},
    {"deviations", "sibs"},
    {"theory_index"},
    {"skew"},
    {"recursion"},
    {"units", "trajectory", "levers"},
    {"testing", "candidates", "merit"},
    {"genomics"},
    {"screening"},
    {"staging"},
    {"measuring", "mating", "optimum"},
    {"mating_plans", "storage"},
    {"generation"},
    {"history"},
    {"simulation", "results", "summary"},
    {"panel", "rules"},
    {"course"},
    {"judging", "named_traits"},
    {"objectives", "limits", "space"},
    {"targets", "checkpoint", "theory_search"},
    {"search_step"},
    {"optimisation"},
    {"front", "space_mapping", "build", "figure", "progress", "doctor", "listing"},
    {"plan", "optimisation_report", "front_report"},
    {"optimize_command", "front_command"},
    {"comparison"},
    {"arms", "comparison_file", "comparison_figure", "comparison_table"},
    {"compare_command"},
    {"verification"},
    {"verify_command"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jaxbreed."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("path", sorted((ROOT / "jaxbreed").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_arrows_go_one_way(path):
    assert path.stem in LEVEL, f"{path.stem} has no place in the layers"
    for name in imports(path):
        assert LEVEL[name] <= LEVEL[path.stem], f"{path.stem} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "jaxbreed" / "verification").glob("*.py")), ids=lambda path: path.stem)
def test_verification_looks_down(path):
    assert all(LEVEL[name] <= LEVEL["verification"] for name in imports(path)), path.name


def test_kernels_know_no_breeding():
    for path in (ROOT / "kernels").glob("*.py"):
        assert set(imports(path)) <= {"kernels"}, path.name


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_importing_compiles_nothing_and_help_needs_no_jax():
    out = run_python("import sys, jaxbreed, jaxbreed.cli; print('jax' in sys.modules, 'matplotlib' in sys.modules)")
    assert out.split() == ["False", "False"]
    # Every public name, and still no device has been touched.
    out = run_python(
        "import jaxbreed as jb, jax\n"
        "compiled = []\n"
        "jax.monitoring.register_event_duration_secs_listener(\n"
        "    lambda name, *_, **__: compiled.append(name) if 'compile' in name else None)\n"
        "names = [getattr(jb, name) for name in jb.__all__]\n"
        "from jax._src import xla_bridge\n"
        "print(len(names), len(compiled), xla_bridge.backends_are_initialized())"
    )
    names, compiled, started = out.split()
    assert int(names) > 15
    assert (compiled, started) == ("0", "False")


def test_public_names_are_those_promised_to_type_checkers():
    import jaxbreed

    tree = ast.parse((ROOT / "jaxbreed" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname for node in block.body for alias in node.names}
    assert typed | {"__version__"} == set(jaxbreed.__all__)


def test_kernels_are_part_of_the_package():
    code = "import sys; sys.path.insert(0, sys.argv[1])\nimport kernels"
    result = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, timeout=120)
    assert "import it as `jaxbreed.kernels`" in result.stderr
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert table["tool"]["scikit-build"]["wheel"]["packages"]["jaxbreed/kernels"] == "kernels"


def test_matrix_vector_products_followed_by_a_mean():
    # The shape that jax 0.10.2 miscompiles on CPU (jax issue 39103): values wrong from 32,769 rows on.
    rng = np.random.default_rng(0)
    matrix, rows = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(40_000, 5)).astype(np.float32)
    fused = jax.jit(lambda m, r: jax.vmap(lambda row: m @ row)(r).mean(0))(jnp.asarray(matrix), jnp.asarray(rows))
    assert np.asarray(fused) == pytest.approx((rows.astype(float) @ matrix.T.astype(float)).mean(0), abs=1e-5)


def test_public_names_are_not_hidden_by_modules():
    # Importing a submodule binds its name in the package, over any public name spelled the same.
    import jaxbreed

    modules = {path.stem for path in (ROOT / "jaxbreed").glob("*.py")} | {"species", "kernels"}
    assert not modules & set(jaxbreed.__all__)
