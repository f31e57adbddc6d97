"""Programs of jax.export compute what the networks compute, without this project."""

import subprocess
import sys

import jax
import jax.export
import numpy as np

from bb_jax.export.jax_program import jax_program
from bb_sim.rules.observation import legal_mask_of
from tests.bb_jax.export.policies import expected_of, policy_of, rows, telling_architectures


def some_rows() -> np.ndarray:
    """A sample: the CPU takes long for the form of a program that GPUs run well."""
    return rows()[::24]


def read(content: bytes) -> jax.export.Exported:
    return jax.export.deserialize(bytearray(content))


@telling_architectures
def test_it_computes_what_the_network_computes(architecture):
    policy = policy_of(architecture)
    program = read(jax_program(policy))
    assert program.platforms == ("cpu", "cuda")
    found = program.call(some_rows())
    head, values = expected_of(policy, some_rows())
    if policy.network_config.afterstates:
        np.testing.assert_allclose(found["scores"], head[:, 0], rtol=0, atol=1e-4)
    else:
        np.testing.assert_allclose(found["logits"], head, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found["values"], values, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(found["legal"], legal_mask_of(some_rows()))
    assert len(found) == 3


def test_one_file_takes_any_number_of_rows():
    program = read(jax_program(policy_of("transformer")))
    together = program.call(rows()[:100])
    for size in (1, 64):
        part = program.call(rows()[:size])
        np.testing.assert_allclose(part["values"], together["values"][:size], rtol=0, atol=1e-5)


def test_it_runs_in_a_process_that_has_nothing_of_this_project(tmp_path):
    policy = policy_of("two towers")
    (tmp_path / "policy.jax").write_bytes(jax_program(policy))
    np.save(tmp_path / "rows.npy", rows()[:64])
    code = """
import sys, jax, numpy as np
from jax import export
program = export.deserialize(bytearray(open("policy.jax", "rb").read()))
np.save("values.npy", program.call(np.load("rows.npy"))["values"])
assert not {"bb_sim", "bb_jax", "flax"} & {name.partition(".")[0] for name in sys.modules}
"""
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, timeout=600)
    _, values = expected_of(policy, rows()[:64])
    np.testing.assert_allclose(np.load(tmp_path / "values.npy"), values, rtol=0, atol=1e-4)
