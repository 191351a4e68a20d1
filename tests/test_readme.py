"""README's Python blocks run as they stand, one after the other, and do what they say."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from jaxbreed.comparison import Arm, arm_scenarios
from jaxbreed.plan import aim_of
from jaxbreed.scenario import parse_scenario

README = Path(__file__).parents[1] / "README.md"


def test_python_blocks_run(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 6
    # The shortest first result is ten lines or fewer.
    assert len([line for line in blocks[0].splitlines() if line.strip()]) <= 10
    code = "\n".join(blocks)
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "gain.png").stat().st_size > 10_000
    first = [float(x) for x in re.findall(r"-?\d+\.\d+", result.stdout.splitlines()[0])]
    assert len(first) == 2
    assert first[0] > 0.5  # intelligence rises


def test_scenario_blocks_are_scenarios():
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    arms, search, founders = map(tomllib.loads, blocks)
    aim = aim_of(parse_scenario({"species": "octopus-vulgaris"} | search))
    assert [lever.name for lever in aim.levers] == ["weights", "males"]
    assert parse_scenario({"species": "octopus-maya"} | founders).founders.from_files
    assert len(arm_scenarios({"species": "octopus-vulgaris"}, [Arm(*arm) for arm in arms.items()])) == 3


def test_named_commands_and_files_exist():
    text = README.read_text()
    for path in re.findall(r"experiments/[\w/.-]+\.(?:toml|py|png)", text):
        assert (README.parent / path).exists(), path
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", text):
        assert f"\n{target}:" in makefile
