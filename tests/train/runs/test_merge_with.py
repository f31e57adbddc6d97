"""A run that begins with the networks of two runs merged into one."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from bb_jax import load_policy
from bb_jax.errors import CheckpointError
from bb_jax.networks.network import evaluate
from tests.bb_jax.games import random_positions
from tests.train.processes import tree
from tests.train.running import metrics, train, train_struck, write_config
from train import checkpoints
from train.config import ConfigError, load_config
from train.runs.start import find_new_run

NARROW = {"kind": "mlp", "hidden_layers": [8], "dropout": 0.0}
MERGED = {"kind": "mlp", "hidden_layers": [16], "second_tower": [8], "dropout": 0.0}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """The folder of a run of a narrower network."""
    folder = tmp_path_factory.mktemp("narrow")
    result = train(
        write_config(folder, network_config=NARROW, total_iterations=2, use_exploit_patch=False)
    )
    assert result.returncode == 0, result.stderr
    return folder / "run"


def merging(folder, first, second, **changes):
    settings: dict[str, Any] = {
        "network_config": MERGED,
        "resume_from": str(first),
        "merge_with": str(second),
        "total_iterations": 8,
        "use_exploit_patch": False,
    }
    return write_config(folder, **settings | changes)


def test_it_begins_as_the_mean_of_both_and_goes_on_exactly(tmp_path, finished_run, narrow):
    wide = finished_run(False) / "run"
    before = tree(wide), tree(narrow)
    whole = merging(tmp_path / "whole", f"{wide}@6", narrow)
    start = find_new_run(load_config(whole))
    assert start.origin.description == (
        f"checkpoint 6 of {wide} merged with checkpoint 2 of {narrow}"
    )
    assert start.origin.state.iteration == 6
    assert start.origin.arrays is not None

    result = train(whole)
    assert result.returncode == 0, result.stderr
    rows = metrics(tmp_path / "whole")
    assert [row["iteration"] for row in rows] == [7, 8]
    # The first run's members are of another architecture.
    assert not any(key.startswith("met/checkpoint") for key in rows[0])
    policy = load_policy(tmp_path / "whole" / "run" / "policies" / "000008.policy")
    assert policy.network_config.second_tower == (8,)

    positions = jnp.array(random_positions(2))
    found = evaluate(policy.network, start.origin.arrays["learner"]["params"], positions)
    one = load_policy(wide / "policies" / "000006.policy")
    other = load_policy(narrow / "policies" / "000002.policy")
    firsts = evaluate(one.network, one.params, positions)
    seconds = evaluate(other.network, other.params, positions)
    for merged, first, second in zip(found, firsts, seconds, strict=True):
        np.testing.assert_allclose(merged, (first + second) / 2, atol=1e-5)

    packed = tmp_path / "merged.policy"
    assert checkpoints.main(["pack", f"{tmp_path / 'whole' / 'run'}@8", str(packed)]) == 0
    known = load_policy(packed).metadata
    assert (known["resume_from"], known["merge_with"]) == (f"{wide}@6", str(narrow))

    struck = merging(tmp_path / "struck", f"{wide}@6", narrow)
    assert train_struck(struck, "between", "SIGKILL", 2).returncode == -9
    again = train(struck)
    assert again.returncode == 0, again.stderr
    assert metrics(tmp_path / "struck") == rows
    assert (tree(wide), tree(narrow)) == before


def test_networks_that_do_not_fit_are_refused(tmp_path, finished_run, narrow):
    wide = finished_run(False) / "run"

    def refusal(first, second, *changes):
        config = merging(tmp_path, first, second)
        with pytest.raises(CheckpointError) as refused:
            find_new_run(load_config(config, changes))
        return str(refused.value)

    assert (
        f"checkpoint 6 of {wide} is of another architecture: network_config.hidden_layers is "
        "[16] there and [8] in this configuration" in refusal(wide, wide)
    )
    assert f"checkpoint 2 of {narrow} is of another architecture" in refusal(narrow, narrow)
    assert "merge_with nowhere@3: there is no run" in refusal(wide, "nowhere@3")
    assert "scoring" in refusal(wide, narrow, "scoring=animals")
    assert "network_config.second_tower is [] there and [8]" in str(
        refusal(wide, narrow, "merge_with=null")
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["resume_from=null"], "merge_with must be null without resume_from, not 'b'"),
        (["network_config.second_tower=[]"], "where network_config.second_tower is empty"),
        (["network_config.kind=transformer"], "second_tower must be empty unless the kind is mlp"),
    ],
)
def test_what_cannot_be_merged_is_refused(tmp_path, changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load_config(merging(tmp_path, "a", "b"), changes)
