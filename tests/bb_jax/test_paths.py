"""Paths as people write them: `~` is a home folder, and everything else is taken literally."""

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bb_jax.errors import CheckpointError, FileError
from bb_jax.paths import expand_home


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of mine")
    return Path("/home/of mine")


def test_a_tilde_is_a_home_folder(home):
    user = pwd.getpwuid(os.getuid())
    assert expand_home("~") == home
    assert expand_home("~/a/~b") == home / "a" / "~b"
    assert expand_home(f"~{user.pw_name}/a") == Path(user.pw_dir, "a")


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_everything_else_stands_as_it_is(text):
    if text[0] not in "~$":
        assert expand_home(text) == Path(text)
    assert expand_home(f"./{text}") == Path(text if text[0] != "/" else f".{text}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("~nobody-here/a", "there is no user nobody-here; a name that begins with ~"),
        ("~nobody-here", "there is no user nobody-here"),
        ("$HOME/a", r"\$HOME is taken literally, .*; write the path out or use ~"),
        ("${HOME}", r"\$\{HOME\} is taken literally"),
        ("~a\0b", "zero byte"),
        ("a\0b", "zero byte"),
    ],
)
def test_what_stands_for_nothing_is_refused(text, sentence):
    with pytest.raises(FileError, match=sentence):
        expand_home(text)
    with pytest.raises(CheckpointError, match=sentence):
        expand_home(text, CheckpointError)


def test_a_folder_may_have_a_dollar_in_front():
    Path("$HOME").mkdir()
    assert expand_home("$HOME/a") == Path("$HOME/a")
