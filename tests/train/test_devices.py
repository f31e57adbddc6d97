"""A run spread over several devices; the CPU stands in for them."""

import pytest

from tests.train.running import metrics, run_python, write_config


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 3])
def test_any_number_of_devices_gives_the_same_to_rounding(tmp_path, finished_run, devices):
    # Neither the 16 slots of a group nor the rows of an evaluation are a multiple of three.
    config = write_config(tmp_path, async_game_generation=False)
    result = run_python(
        *("-m", "tests.train.faults", "between", "SIGTERM", 2, "--config", config),
        XLA_FLAGS=f"--xla_force_host_platform_device_count={devices}",
    )
    assert result.returncode == 143, result.stderr
    found, expected = metrics(tmp_path)[0], metrics(finished_run(False))[0]
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if not isinstance(value, float) or key.startswith("met/"):
            assert found[key] == value, key
        else:
            assert found[key] == pytest.approx(value, rel=1e-3, abs=1e-4), key
