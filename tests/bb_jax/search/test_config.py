"""The text of a search."""

import pytest

from bb_jax.search import SearchConfig, parse_search


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("samples=200,opponent=unknown", SearchConfig(samples=200, opponent="unknown")),
        ("opponent=known", SearchConfig(samples=200, opponent="known")),
        (
            " milliseconds = 2.5 , opponent = noisy ",
            SearchConfig(milliseconds=2.5, opponent="noisy"),
        ),
        ("samples=0", SearchConfig(samples=0)),
        (
            "samples=9,margin_weight=0.1,draw_reward=0,depth=3",
            SearchConfig(samples=9, margin_weight=0.1, draw_reward=0.0, depth=3),
        ),
    ],
)
def test_a_text_is_read_and_written_back(text, expected):
    config = parse_search(text)
    assert config == expected
    assert parse_search(str(config)) == config


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("samples=many", "samples", "many"),
        ("samples=1.5", "samples", "1.5"),
        ("samples=-1", "samples", "-1"),
        ("samples=1000001", "samples", "1000001"),
        ("milliseconds=0", "milliseconds", "0"),
        ("milliseconds=inf", "milliseconds", ".inf"),
        ("milliseconds=nan", "milliseconds", ".nan"),
        ("opponent=3", "opponent", "3"),
        ("opponent=xyz", "opponent", "xyz"),
        ("margin_weight=2", "margin_weight", "2"),
        ("draw_reward=-2", "draw_reward", "-2"),
        ("depth=0", "depth", "0"),
    ],
)
def test_an_impossible_value_is_named_with_its_key(text, key, value):
    with pytest.raises(ValueError) as refusal:
        parse_search(text)
    sentence = str(refusal.value)
    assert sentence.startswith(f"search: {key} must be ")
    assert f", not {value}" in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sample=200", ("sample", "samples")),
        ("opponent=heuristics", ("heuristics", "heuristic")),
        ("samples=200,samples=3", ("samples stands twice",)),
        ("samples", ("'samples'", "key=value")),
        ("", ("key=value",)),
        ("samples=1,milliseconds=1", ("samples or milliseconds",)),
    ],
)
def test_a_text_that_is_no_search_is_refused_in_one_sentence(text, named):
    with pytest.raises(ValueError, match=r"^search: ") as refusal:
        parse_search(text)
    assert all(part in str(refusal.value) for part in named) and "\n" not in str(refusal.value)


def test_without_a_budget_there_are_samples():
    assert SearchConfig().samples == SearchConfig(samples=None).samples == 200
    assert SearchConfig(milliseconds=1).samples is None
