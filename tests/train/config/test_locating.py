"""`--config` takes a file, or the name of a configuration."""

from pathlib import Path

import pytest

import train.main
from train.config import ConfigError, find_config, known_configs, locating


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with one configuration; an installed package has two others."""
    folder, installed = tmp_path / "here", tmp_path / "installed"
    for path in (
        folder / "configs/mine.yaml",
        installed / "configs/mine.yaml",
        installed / "configs/shipped.yaml",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(locating, "SHIPPED", installed)
    return folder


@pytest.mark.parametrize("given", ["mine", "configs/mine.yaml"])
def test_what_lies_here_comes_first(here, given):
    assert find_config(Path(given)).resolve() == here / "configs/mine.yaml"


@pytest.mark.parametrize("given", ["shipped", "configs/shipped.yaml"])
def test_an_installed_one_is_the_last_resort(here, given):
    found = find_config(Path(given))
    assert found == here.parent / "installed/configs/shipped.yaml"
    (here / "configs/shipped.yaml").touch()
    assert find_config(Path(given)).resolve() == here / "configs/shipped.yaml"


def test_a_file_without_a_suffix_is_a_file(here):
    (here / "shipped").touch()
    assert find_config(Path("shipped")) == Path("shipped")


@pytest.mark.parametrize("given", ["other.yaml", "elsewhere/shipped.yaml", "configs/other.yaml"])
def test_a_path_is_no_name(here, given):
    assert find_config(Path(given)) == Path(given)


def test_an_unknown_name_is_one_sentence_with_those_there_are(here, capsys):
    assert list(known_configs()) == ["mine", "shipped"]
    with pytest.raises(
        ConfigError, match=r"neither a configuration file other .* name: mine, shipped"
    ):
        find_config(Path("other"))
    assert train.main.main(["--config", "other"]) == 2
    assert "known by name: mine, shipped" in capsys.readouterr().err
