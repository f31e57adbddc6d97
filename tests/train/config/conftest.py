"""Configurations from a few lines of text."""

import pytest

from train.config import ConfigError, load_config

HEAD = "experiment_name: test\ntotal_iterations: 10\n"


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides, head=HEAD):
        path = tmp_path / "run.yaml"
        path.write_text(head + text, encoding="utf-8")
        return load_config(path, overrides)

    return load


@pytest.fixture
def refusal(load):
    def refusal(text, *overrides, head=HEAD):
        with pytest.raises(ConfigError) as error:
            load(text, *overrides, head=head)
        message = str(error.value)
        assert "\n" not in message
        assert any(origin in message for origin in ("run.yaml", *overrides))
        return message

    return refusal
