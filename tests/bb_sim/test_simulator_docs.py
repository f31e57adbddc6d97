"""The examples in docs/simulator.md run."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not at hand")
EXAMPLES = (
    re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.S) if DOCS.exists() else []
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number, capsys):
    code = EXAMPLES[number]
    for library, module in (("pettingzoo", "pettingzoo"), ("openspiel", "pyspiel")):
        if f"bb_sim.{library}" in code:
            pytest.importorskip(module, reason=f"the extra `{library}` is not installed")
    exec(compile(code, str(DOCS), "exec"), {})
    assert capsys.readouterr().out
    assert len(code.splitlines()) <= 15
