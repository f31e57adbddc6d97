"""The shipped configurations and the documentation of the keys."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bb_sim import OPPONENTS
from train.config import config_to_dict, load_config

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))

ITER600_TO_1000 = """
network_config: {hidden_dim: 256, num_heads: 8, num_layers: 4, dropout: 0.1, \
species_embedding_dim: 64}
ppo_config:
  learning_rate: 0.0001
  clip_epsilon: 0.2
  value_coef: 0.5
  entropy_coef: 0.04
  gamma: 0.99
  gae_lambda: 0.95
  ppo_epochs: 4
  minibatch_size: 2048
  max_grad_norm: 0.5
  normalize_advantages: true
  clip_value: true
  target_kl: 0.02
total_iterations: 1000
games_per_iteration: 8192
checkpoint_frequency: 50
eval_frequency: 25
entropy_schedule: linear
entropy_start: 0.04
entropy_end: 0.01
temperature_schedule: linear
temperature_start: 1.0
temperature_end: 0.5
use_opponent_pool: true
use_adaptive_weights: true
min_opponent_weight: 0.05
opponent_config: {current_weight: 0.5, checkpoint_weight: 0.1, random_weight: 0.1, \
heuristic_weight: 0.3, max_checkpoints: 10}
use_heuristic_variants: true
use_exploit_patch: true
exploit_patch_interval: 100
force_cython: true
async_game_generation: true
async_num_workers: 32
buffer_size: 800000
seed: 42
device: auto
experiment_name: iter600_to_1000
resume_from: iter0_to_600@600
eval_opponents: [random, heuristic, aggressive, defensive, queue, skunk, noisy, online, \
outcome_heuristic, distilled_outcome]
"""


def leaves(content, prefix=""):
    found: dict[str, object] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def test_iter600_to_1000_holds_exactly_these_values():
    path = ROOT / "configs/iter600_to_1000.yaml"
    assert yaml.safe_load(path.read_text()) == yaml.safe_load(ITER600_TO_1000)
    config = load_config(path)
    assert config.run_dir == Path("checkpoints/iter600_to_1000")
    assert config.ppo_config.learning_rate == 1e-4
    assert config.named_opponents == OPPONENTS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_line_of_a_shipped_file_has_a_comment(path):
    load_config(path)
    for line in path.read_text().splitlines():
        names_a_key = re.match(r"\s*(# )?[a-z]\w*:", line)
        introduces_a_section = re.match(r"(network|ppo|expert)_config:$", line)
        if names_a_key and not introduces_a_section:
            assert re.search(r"\S +# \w", line), line


def test_iter600_to_1000_shows_every_other_key_with_its_default():
    path = ROOT / "configs/iter600_to_1000.yaml"
    # With the hints uncommented the file says the same, and says everything.
    complete = yaml.safe_load(
        re.sub(r"^( *)# ([a-z]\w*:( +\S.*)? +# )", r"\1\2", path.read_text(), flags=re.M)
    )
    assert leaves(complete) == leaves(config_to_dict(load_config(path)))


def test_the_first_run_ends_where_the_second_starts():
    first = load_config(ROOT / "configs/iter0_to_600.yaml")
    second = load_config(ROOT / "configs/iter600_to_1000.yaml")
    assert second.resume_from == f"iter0_to_600@{first.total_iterations}"
    assert first.experiment_name == "my_iter0_to_600"
    assert first.network_config == second.network_config
    assert first.ppo_config.entropy_coef == second.entropy_start
    assert (first.entropy_schedule, first.temperature_schedule) == ("none", "none")
    assert first.temperature_start == second.temperature_start


def test_reading_a_configuration_starts_no_jax():
    code = (
        "import sys\n"
        "from train.config import load_config\n"
        "load_config('configs/quickstart.yaml')\n"
        "assert 'jax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
