"""Programs that train without `if __name__ == "__main__":` are told so in one sentence."""

import pytest

from tests.train.running import SMALL, run_python, write_config

LIBRARY = """
from bb_jax import Policy
from tests.train.pools import opponent_config
from tests.train.sharp_network import CONFIG, NETWORK, params
from train.games.pool import OpponentPool
from train.games.worker_pool import GenerationError
from train.generation import generate_games_batched_by_opponent

pool = OpponentPool(opponent_config(0.9, 0.0, 0.1, 0.0), ("random",))
try:
    generate_games_batched_by_opponent(Policy(NETWORK, params(0), CONFIG, "points", {}), 8, pool)
except GenerationError as error:
    raise SystemExit(f"error: {error}")
"""
COMMAND = """
import sys
from train.main import main

sys.exit(main(["--config", CONFIG]))
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(LIBRARY, id="library", marks=pytest.mark.slow),
        pytest.param(COMMAND, id="command"),
    ],
)
def test_a_program_without_a_guard_is_told_so(tmp_path, program):
    config = write_config(tmp_path, SMALL, async_num_workers=1)
    script = tmp_path / "script.py"
    script.write_text(program.replace("CONFIG]", f"{str(config)!r}]"))
    done = run_python(script, PYTHONPATH=".")
    assert done.returncode not in (0, -9)
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and "__main__" in said[0], done.stderr
    assert "Traceback" not in done.stderr
