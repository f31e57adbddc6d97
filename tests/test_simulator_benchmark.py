"""The benchmarks of the simulator print their tables; how fast anything is, is not tested."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bb_sim import OPPONENTS
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
TINY = ("--games", "16", "--repeats", "2", "--seconds", "0.001")


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_the_table_has_a_line_for_everything(tmp_path):
    file = tmp_path / "figures.json"
    result = run("simulator", *TINY, "--json", file)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert (figures["games"], figures["repeats"], figures["seconds"]) == (16, 2, 0.001)
    names = [row["name"] for row in figures["rows"]]
    assert len(set(names)) == len(names)
    for row in figures["rows"]:
        assert sum(line.startswith(f"{row['name']} ") for line in lines) == 1
        assert 0 < row["lowest"] <= row["median"] <= row["highest"]
        assert row["ratio"] is None or row["ratio"] > 0
    text = "\n".join(names)
    for part in ("random games", "observations", "heuristic games", "threads: 2", "memory"):
        assert part in text
    for opponent in OPPONENTS:
        assert f"opponent {opponent}" in names
    ratios = {row["name"] for row in figures["rows"] if row["ratio"]}
    assert any("plain Python" in name for name in ratios)
    for library, module in (("PettingZoo", "pettingzoo"), ("OpenSpiel hearts", "pyspiel")):
        assert any(library in name for name in ratios) == (find_spec(module) is not None)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--games", "0"), "at least 1, not 0"),
        (("--repeats", "two"), "not two"),
        (("--seconds", "-1"), "above 0, not -1"),
        (("--seconds", "nan"), "above 0, not nan"),
    ],
)
def test_bad_options_are_named(arguments, part):
    result = run("simulator", *arguments)
    assert result.returncode == 2
    assert part in result.stderr and "Traceback" not in result.stderr


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "missing" / "figures.json"
    result = run("simulator", *TINY, "--json", file)
    assert result.returncode == 1
    assert str(file) in result.stderr and "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_instructions_are_counted_and_are_the_same_each_time():
    first, second = run("instructions"), run("instructions")
    assert first.returncode == 0, first.stderr
    counts = [
        int(count.replace(",", "")) for count in re.findall(r" ([\d,]+)$", first.stdout, re.M)
    ]
    assert len(counts) == 2 + len(OPPONENTS)
    assert 0 < counts[0] < counts[1]
    assert first.stdout == second.stdout
