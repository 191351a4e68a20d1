"""The native kernels are really used, are chosen and refused as documented, and never crash on a wrong call."""

import functools
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crosses import CROSSES, KEYS, as_key, numbers

from jaxbreed import kernels
from jaxbreed.kernels import native

built = pytest.mark.skipif(native.library() is None, reason="the native kernels were not built")
CROSS = CROSSES["dominance, different maps, an empty chromosome"][0]


@pytest.fixture
def not_built(monkeypatch):
    """As on a machine without a compiler."""
    monkeypatch.setattr(native, "_find", lambda: None)
    native.library.cache_clear()
    yield
    monkeypatch.undo()
    native.library.cache_clear()


def score(implementation=None):
    walk_map = CROSS.walk_map
    tables = CROSS.tables(walk_map, 0)
    function = functools.partial(kernels.score, implementation=implementation)
    return jax.jit(function).lower(tables, walk_map, as_key(KEYS[0]), numbers(range(40)))


@built
@pytest.mark.parametrize("call", ["suffix", "score", "sweep", "hatch"])
def test_the_compiled_programme_contains_the_native_kernel(call):
    """By default on a CPU; and `implementation="xla"` is free of it."""
    walk_map = CROSS.walk_map
    tables, key, eggs = CROSS.tables(walk_map, 0), as_key(KEYS[0]), numbers(range(40))
    parents = jnp.zeros((40, 2, CROSS.loci), jnp.uint8)
    noise = kernels.build_noise(np.eye(2))
    assay = kernels.Assay(
        weight=jnp.ones(2, jnp.int32),
        noise=noise,
        unit=jnp.full(4, 10, jnp.int32),
        survival=jnp.uint32(2**32 - 1),
        lanes=64,
        screened=0,
        kept=3,
        alternate_sexes=True,
    )
    effects = jnp.asarray(CROSS.effects, jnp.int32)
    arguments = {
        "suffix": (kernels.suffix_tables, (effects, parents[:2], walk_map, jnp.zeros(2, jnp.int32))),
        "score": (kernels.score, (tables, walk_map, key, eggs)),
        "sweep": (kernels.sweep, (tables, walk_map, key, jnp.int32(40), jnp.int32(40), assay)),
        "hatch": (kernels.hatch, (walk_map, jnp.zeros((40, 2), jnp.uint32), eggs, parents, parents)),
    }
    function, given = arguments[call]
    for implementation, found in ((None, True), ("native", True), ("xla", False)):
        partial = functools.partial(function, implementation=implementation)
        text = jax.jit(partial).lower(*given).compile().as_text()
        assert (f"jaxbreed_{call}" in text) == found, implementation


def test_without_the_library_xla_serves_and_gives_the_same_bits(not_built):
    walk_map = CROSS.walk_map
    tables = CROSS.tables(walk_map, 0)
    assert kernels.implementations() == ("xla",)
    lowered = score()
    assert "jaxbreed_score" not in lowered.as_text()
    found = lowered.compile()(tables, walk_map, as_key(KEYS[0]), numbers(range(40)))
    wanted = kernels.score(tables, walk_map, as_key(KEYS[0]), numbers(range(40)), implementation="xla")
    np.testing.assert_array_equal(found, wanted)


def test_an_explicit_name_never_falls_back(not_built):
    with pytest.raises(ValueError, match=r'implementation is "native", but the native kernels were not built'):
        score("native")
    with pytest.raises(ValueError, match="not built"):
        native.use_instruction_set("avx2")


@built
def test_a_library_of_other_sources_is_refused(monkeypatch):
    monkeypatch.setattr(native, "SPECIFICATION", native.SPECIFICATION + 1)
    native.library.cache_clear()
    with pytest.raises(RuntimeError, match="install jaxbreed again to build them anew"):
        kernels.implementations()
    monkeypatch.undo()
    assert native.library() is not None


@built
def test_shared_functions_come_from_the_objects_for_every_processor():
    """Of a function that several objects hold the linker keeps one: it must not use the registers of AVX."""
    if shutil.which("objdump") is None or shutil.which("nm") is None:
        pytest.skip("no objdump")
    path = native.describe().path
    symbols = subprocess.run(["nm", "-D", "-S", "-C", path], capture_output=True, text=True, check=True).stdout
    shared = 0
    for line in symbols.splitlines():
        start, size, kind, name = (*line.split(maxsplit=3), "", "", "", "")[:4]
        if kind != "W" or "::avx2::" in name or "::avx512::" in name:
            continue
        stop = hex(int(start, 16) + int(size, 16))
        command = ["objdump", "-d", f"--start-address=0x{start}", f"--stop-address={stop}", path]
        code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "%ymm" not in code, name
        assert "%zmm" not in code, name
        shared += 1
    assert shared > 0


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match='implementation is \'cuda\'; it must be "native", "xla" or None'):
        score("cuda")
    if native.library() is not None:
        with pytest.raises(ValueError, match="instruction set is 'sse9'; it must be one of avx512, avx2, baseline"):
            native.use_instruction_set("sse9")


def test_native_refuses_other_devices(monkeypatch):
    """With an accelerator as the default device."""
    if native.library() is None:
        pytest.skip("the native kernels were not built")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(ValueError, match="which runs on CPUs, but the default device is a gpu"):
        kernels.check_implementation("native")
    assert kernels.implementations() == ("xla",)


@built
def test_where_other_devices_could_be_meant_the_compiler_decides(monkeypatch):
    """With an accelerator beside the CPU both are offered to XLA, which takes the native kernel on the CPU."""
    from jaxbreed.kernels import dispatch

    monkeypatch.setattr(dispatch, "backends", lambda: {"cpu": None, "cuda": None})
    assert "jaxbreed_score" in score().compile().as_text()


# ruff: noqa: E501
# Malformed calls


def malformed():
    walk_map = CROSS.walk_map
    tables, key, eggs = CROSS.tables(walk_map, 0), as_key(KEYS[0]), numbers(range(5))
    other = CROSSES["one long chromosome"][0].walk_map
    parents = jnp.zeros((5, 2, CROSS.loci), jnp.uint8)
    keys = jnp.zeros((5, 2), jnp.uint32)
    effects, haplotypes = jnp.zeros((2, CROSS.loci), jnp.int32), jnp.zeros((2, 2, CROSS.loci), jnp.uint8)
    zero = jnp.zeros(2, jnp.int32)
    return {
        "eggs of int32": (TypeError, "eggs is .* int32; it must be an array of uint32", kernels.score, (tables, walk_map, key, eggs.astype(jnp.int32))),
        "eggs in two axes": (ValueError, r"eggs has shape \(5, 1\); it must be \(any\)", kernels.score, (tables, walk_map, key, eggs[:, None])),
        "another map": (ValueError, "tables.jump has shape", kernels.score, (tables, other, key, eggs)),
        "key of three words": (ValueError, "key has 3 words", kernels.score, (tables, walk_map, (*key, key[0]), eggs)),
        "key of one array": (ValueError, "key has shape", kernels.score, (tables, walk_map, (eggs, eggs), eggs)),
        "numbers for arrays": (TypeError, "eggs is list of None", kernels.score, (tables, walk_map, key, [1, 2])),
        "haplotypes of bool": (TypeError, "haplotypes is .* bool; it must be an array of uint8", kernels.suffix_tables, (effects, haplotypes == 1, walk_map, zero)),
        "too few loci": (ValueError, "effects has shape", kernels.suffix_tables, (effects[:, :-1], haplotypes, walk_map, zero)),
        "no column": (ValueError, "there are 0 columns; there can be 1 to 64", kernels.suffix_tables, (effects[:0], haplotypes, walk_map, zero[:0])),
        "dominance of one column": (ValueError, "dominance has shape", kernels.suffix_tables, (effects, haplotypes, walk_map, zero, effects[:1])),
        "one key for all": (ValueError, "key has shape", kernels.hatch, (walk_map, keys[:1], eggs, parents, parents)),
        "a sire too few": (ValueError, r"sires has shape \(4, 2, 70\); it must be \(5, 2, 70\)", kernels.hatch, (walk_map, keys, eggs, parents, parents[:4])),
    }  # fmt: skip


@pytest.mark.parametrize("case", malformed())
def test_malformed_calls_are_refused_in_one_sentence(case, implementation):
    error, message, function, arguments = malformed()[case]
    with pytest.raises(error, match=message):
        function(*arguments, implementation=implementation)


@built
def test_the_library_checks_again():
    """Past the checks in Python, a wrong call is an error of the call, not of the process."""
    walk_map = CROSS.walk_map
    tables = CROSS.tables(walk_map, 0)
    other = CROSSES["one long chromosome"][0].walk_map
    for bad_tables, bad_map, eggs in (
        (tables, other, numbers([1])),
        (kernels.SuffixTables(tables.start, tables.jump[:, :-1], tables.pair), walk_map, numbers([1])),
        (kernels.SuffixTables(tables.start[:1], tables.jump, tables.pair), walk_map, numbers([1])),
        (tables, walk_map, jnp.zeros(3, jnp.int32)),
    ):
        with pytest.raises(Exception, match=r"jaxbreed: .*(shape|type)"):
            jax.block_until_ready(native.score(bad_tables, bad_map, as_key(KEYS[0]), eggs))


# Machines without what one might wish for


def run_python(code, **environment):
    settings = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=settings, timeout=300)


def test_no_gpu_runs_on_the_cpu():
    code = "import jax; from jaxbreed import kernels; print(jax.default_backend(), kernels.implementations()[-1])"
    assert run_python(code, JAX_PLATFORMS="").stdout.split() == ["cpu", "xla"]


def test_a_gpu_named_but_absent_is_refused_in_one_sentence(tmp_path):
    """Nothing is written, and there is no traceback."""
    if any(device.platform != "cpu" for device in jax.devices()):
        pytest.skip("this machine has an accelerator")
    code = "import sys; from jaxbreed.cli import main; sys.argv = ['jaxbreed', 'doctor']; main()"
    result = run_python(code, JAX_PLATFORMS="cuda")
    assert result.returncode == 1
    assert "cuda" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("jaxbreed: ")


# C++ on its own


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
@pytest.mark.parametrize("instructions", [pytest.param("baseline", marks=pytest.mark.long), "avx2"])
def test_cpp_under_sanitizers(tmp_path, instructions):
    """Addresses and undefined behaviour, over random maps, tables and sizes; and gametes against scores."""
    if instructions not in available_instructions():
        pytest.skip(f"this processor has no {instructions}")
    root = os.path.join(os.path.dirname(__file__), "..", "kernels", "cpp")
    flags = ["-mavx2", "-mbmi2"] if instructions == "avx2" else []
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [
        "g++",
        "-Og",
        "-g1",
        "-std=gnu++17",
        "-fwrapv",
        "-Wno-ignored-attributes",
        "-pthread",
        *flags,
        *sanitizers,
    ]
    binary = tmp_path / "kernels"
    sources = [
        os.path.join(root, "kernels.cc"),
        os.path.join(root, "partial.cc"),
        os.path.join(os.path.dirname(__file__), "cpp", "kernels_test.cc"),
    ]
    build = subprocess.run(
        [*command, f"-DJAXBREED_TESTED={instructions}_kernels", f"-I{root}", *sources, "-o", str(binary)],
        capture_output=True,
        text=True,
    )
    if "cannot find" in build.stderr:
        pytest.skip("the sanitizers' libraries are not installed")
    assert build.returncode == 0, build.stderr[-2000:]
    run = subprocess.run([str(binary)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:] + run.stdout[-500:]
    assert "all equal" in run.stdout


def available_instructions():
    if native.library() is None:
        return ("baseline",)
    found = []
    for name in native.INSTRUCTION_SETS:
        try:
            native.use_instruction_set(name)
        except ValueError:
            continue
        found.append(name)
    native.use_instruction_set(None)
    return found
