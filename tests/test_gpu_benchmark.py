"""The benchmark for GPUs runs on a CPU too; how fast anything is, is not tested."""

import pytest

from bb_jax import NetworkConfig
from bb_jax.config import PPOConfig
from benchmarks import gpu
from benchmarks.model_flops import forward_flops, peak_tflops, update_flops
from tests.train.running import run_python

TINY = (
    *("--config", "configs/quickstart.yaml", "--games", "32"),
    *("--iterations", "1", "--rows", "64,128", "--set", "device=cpu"),
)


TITLES = {
    "trainer": ("Iterations of the trainer", 1),
    "inference": ("Inference", 2),
    "update": ("The update alone", 1),
    "memory": ("Memory of the compiled update", 1),
}


def check_tables(parts: list[str], dtypes: list[str]) -> None:
    options = ("--only", ",".join(parts), "--dtypes", ",".join(dtypes))
    result = run_python("-m", "benchmarks.gpu", *TINY, *options)
    assert result.returncode == 0, result.stderr
    lines = [line.strip() for line in result.stdout.splitlines()]
    for part in parts:
        assert sum(line.startswith(TITLES[part][0]) for line in lines) == 1
    for dtype in dtypes:
        rows = sum(TITLES[part][1] for part in parts)
        assert sum(line.startswith(f"{dtype} ") for line in lines) == rows


def test_a_table():
    check_tables(["inference"], ["float32"])


@pytest.mark.slow
def test_all_tables():
    check_tables(list(TITLES), ["float32", "bfloat16"])


@pytest.mark.parametrize(
    "arguments", [("--only", "speed"), ("--dtypes", "int8"), ("--set", "games=7")]
)
def test_what_it_does_not_know_is_refused(capsys, arguments):
    assert gpu.main([*TINY, *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_operations_by_hand():
    # One layer, which the class token alone asks.
    one = NetworkConfig(hidden_dim=8, num_heads=2, num_layers=1, dropout=0.0)
    keys_and_values = 9 * 2 * (2 * 8 * 8)
    query_mix_and_feed_forward = 2 * (2 * 8 * 8) + 2 * (2 * 8 * 32)
    attention = 2 * (2 * 9 * 8)
    expected = keys_and_values + query_mix_and_feed_forward + attention
    assert forward_flops(one) == expected
    # A second layer is asked by all nine tokens.
    two = NetworkConfig(hidden_dim=8, num_heads=2, num_layers=2, dropout=0.0)
    added = keys_and_values + 9 * (query_mix_and_feed_forward + attention)
    assert forward_flops(two) == expected + added
    assert update_flops(one, PPOConfig(ppo_epochs=2)) == 7 * expected
    dropped = NetworkConfig(hidden_dim=8, num_heads=2, num_layers=1, dropout=0.5)
    assert update_flops(dropped, PPOConfig(ppo_epochs=2)) == 9 * expected


def test_peaks_are_known_by_the_names_that_devices_have():
    assert peak_tflops("NVIDIA H200", "bfloat16") == 989
    assert peak_tflops("NVIDIA H100 80GB HBM3", "float32") == 494
    assert peak_tflops("NVIDIA A100-SXM4-80GB", "bfloat16") == 312
    assert peak_tflops("NVIDIA L40S", "bfloat16") == 362
    assert peak_tflops("cpu", "float32") is None
