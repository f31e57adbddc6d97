"""Whole runs of policies over afterstates: trained, interrupted, resumed and evaluated."""

import json
from typing import Any

import pytest

from tests.train.running import metrics, run_python, train, train_struck, write_config

NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"kind": "mlp", "hidden_layers": [16], "dropout": 0.0, "afterstates": True},
    "transformer": {
        **{"hidden_dim": 8, "num_heads": 2, "num_layers": 1, "species_embedding_dim": 4},
        **{"dropout": 0.1, "afterstates": True},
    },
}
CHANGES: dict[str, Any] = {
    "total_iterations": 3,
    "use_exploit_patch": False,
    "checkpoint_frequency": 1,
}


@pytest.fixture(scope="module", params=["mlp", pytest.param("transformer", marks=pytest.mark.slow)])
def finished(request, tmp_path_factory):
    """The kind of network, and the folder of a run of it that nobody interrupted."""
    folder = tmp_path_factory.mktemp(request.param)
    config = write_config(folder, network_config=NETWORKS[request.param], **CHANGES)
    result = train(config)
    assert (result.returncode, result.stderr) == (0, "")
    return request.param, folder


def test_it_trains(finished):
    rows = metrics(finished[1])
    assert [row["iteration"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["train/minibatches_applied"] > 0 and row["train/skipped_updates"] == 0
        assert row["train/entropy"] > 0.5


def test_it_is_evaluated(finished, tmp_path):
    _, folder = finished
    arguments = ["--checkpoint", folder / "run", "--opponents", "random", "--games", 100]
    file = tmp_path / "results.json"
    for how in ([], ["--temperature", 1.0]):
        result = run_python("-m", "eval.main", *arguments, *how, "--json", file)
        assert (result.returncode, result.stderr) == (0, "")
        (found,) = json.loads(file.read_text())["results"]
        assert found["games"] == 100 and found["win_rate"] > 0.2


def test_an_interrupted_run_goes_on_exactly(finished, tmp_path):
    kind, folder = finished
    config = write_config(tmp_path, network_config=NETWORKS[kind], **CHANGES)
    struck = train_struck(config, "learning", "SIGTERM", 2)
    assert struck.returncode == 143, struck.stderr
    resumed = train(config)
    assert resumed.returncode == 0, resumed.stderr
    assert metrics(tmp_path) == metrics(folder)


def test_another_kind_of_policy_is_no_start(finished, tmp_path):
    kind, folder = finished
    changes = CHANGES | {"network_config": NETWORKS[kind] | {"afterstates": False}}
    changes |= {"resume_from": str(folder / "run"), "total_iterations": 4}
    result = train(write_config(tmp_path, **changes))
    assert result.returncode == 2
    sentence = "network_config.afterstates is True there and False in this configuration"
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
