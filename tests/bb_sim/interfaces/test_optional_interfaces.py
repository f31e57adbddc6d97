"""The interfaces of other libraries are imported only when asked for."""

import subprocess
import sys

import pytest

from tests.waiting import PATIENCE

THIRD_PARTY = ("pettingzoo", "gymnasium", "pyspiel", "open_spiel")


def output_of(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_the_simulator_imports_no_other_library_of_games():
    assert output_of(f"import bb_sim, sys; print(*set({THIRD_PARTY}) & set(sys.modules))") == ""


@pytest.mark.parametrize(
    ("module", "extra", "missing"),
    [("pettingzoo_env", "pettingzoo", "pettingzoo"), ("openspiel_game", "openspiel", "pyspiel")],
)
def test_a_missing_library_is_named_with_its_extra(module, extra, missing):
    code = f"""
import sys
sys.modules[{missing!r}] = None
try:
    import bb_sim.interfaces.{module}
except ImportError as error:
    print(error)
"""
    message = output_of(code)
    assert f"bb_sim.interfaces.{module}" in message and f"extra `{extra}`" in message
