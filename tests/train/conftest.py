"""Runs that many tests start from or compare with, made once for all of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.running import metrics, train, write_config


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Callable[[bool], Path]:
    """The folder (`config.yaml`, `run`) of a run that nobody interrupted, asynchronous or not.

    It is made when first asked for. Nobody may change it: tests copy it.
    """
    folders: dict[bool, Path] = {}

    def folder_of(asynchronous: bool) -> Path:
        if asynchronous not in folders:
            folder = tmp_path_factory.mktemp("finished")
            result = train(write_config(folder, async_game_generation=asynchronous))
            assert result.returncode == 0, result.stderr
            assert result.stderr == ""
            assert [row["iteration"] for row in metrics(folder)] == [1, 2, 3, 4, 5, 6]
            folders[asynchronous] = folder
        return folders[asynchronous]

    return folder_of
