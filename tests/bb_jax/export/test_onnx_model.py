"""ONNX models compute what the networks compute, by another runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest

from bb_jax import load_policy
from bb_jax.export.onnx_model import onnx_model
from bb_sim.rules.observation import legal_mask_of
from tests.bb_jax.export.policies import every_architecture, expected_of, policy_of, rows

CLOSE = 1e-4


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def check_equal(policy, found):
    session = session_of(onnx_model(policy, {}))
    named = dict(
        zip(
            [o.name for o in session.get_outputs()], session.run(None, {"rows": found}), strict=True
        )
    )
    head, values = expected_of(policy, found)
    if policy.network_config.afterstates:
        assert named["scores"].shape == (len(found),)
        np.testing.assert_allclose(named["scores"], head[:, 0], rtol=0, atol=CLOSE)
    else:
        np.testing.assert_allclose(named["logits"], head, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(named["values"], values, rtol=0, atol=CLOSE)
    np.testing.assert_array_equal(named["legal"], legal_mask_of(found))


@every_architecture
def test_it_computes_what_the_network_computes(architecture):
    check_equal(policy_of(architecture), rows()[::6])


@pytest.mark.parametrize("run", ["champion/policies/002200.policy"])
def test_a_shipped_policy(run):
    check_equal(load_policy(f"checkpoints/{run}"), rows())


@pytest.mark.slow
def test_the_large_network():
    check_equal(load_policy("checkpoints/iter0_to_600/policies/000600.policy"), rows())


@pytest.mark.parametrize("architecture", ["two towers", "transformer"])
def test_a_row_gives_the_same_in_a_batch_of_any_size(architecture):
    session = session_of(onnx_model(policy_of(architecture), {}))
    together = session.run(None, {"rows": rows()[:100]})
    for size in (1, 7):
        parts = session.run(None, {"rows": rows()[:size]})
        for part, whole in zip(parts, together, strict=True):
            np.testing.assert_allclose(part, whole[:size], rtol=0, atol=1e-5)
    empty = session.run(None, {"rows": rows()[:0]})
    assert [len(part) for part in empty] == [0, 0, 0]


@every_architecture
def test_every_parameter_is_in_the_file_under_its_name(architecture):
    policy = policy_of(architecture)
    model = onnx.load_from_string(onnx_model(policy, {}))
    names = {constant.name for constant in model.graph.initializer}
    dense = {
        f"{torso}/{layer}/kernel"
        for torso in policy.params
        if torso not in ("policy", "value")
        for layer in policy.params[torso]
        if layer.startswith("dense")
    }
    assert dense | {"policy/kernel", "policy/bias", "value/kernel", "value/bias"} <= names


def test_the_model_says_what_it_takes_gives_and_is():
    model = onnx.load_from_string(onnx_model(policy_of("mlp"), {"hash": "abc", "licence": "MIT"}))
    onnx.checker.check_model(model, full_check=True)
    session = session_of(model.SerializeToString())
    (rows_in,) = session.get_inputs()
    assert (rows_in.name, rows_in.type, rows_in.shape) == ("rows", "tensor(uint8)", ["batch", 19])
    outputs = {o.name: (o.type, o.shape) for o in session.get_outputs()}
    assert outputs == {
        "logits": ("tensor(float)", ["batch", 33]),
        "values": ("tensor(float)", ["batch", 2]),
        "legal": ("tensor(bool)", ["batch", 33]),
    }
    assert {p.key: p.value for p in model.metadata_props} == {"hash": "abc", "licence": "MIT"}
    assert all(info.doc_string for info in [*model.graph.input, *model.graph.output])


def test_equal_policies_make_equal_files():
    assert onnx_model(policy_of("transformer"), {}) == onnx_model(policy_of("transformer"), {})
