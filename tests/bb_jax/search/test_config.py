"""The text of a search."""

import pytest

from bb_jax.search import SearchConfig, parse_search


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("samples=200,opponent=unknown", SearchConfig(200, None, "unknown")),
        ("opponent=known", SearchConfig(200, None, "known")),
        (" milliseconds = 2.5 , opponent = noisy ", SearchConfig(None, 2.5, "noisy")),
        ("samples=0", SearchConfig(0)),
        (
            "samples=9,margin_weight=0.1,draw_reward=0,depth=3",
            SearchConfig(9, margin_weight=0.1, draw_reward=0.0, depth=3),
        ),
    ],
)
def test_a_text_is_read_and_written_back(text, expected):
    config = parse_search(text)
    assert config == expected
    assert parse_search(str(config)) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample=200", "unknown key 'sample' (nearest: samples)"),
        ("samples=200,samples=3", "samples stands twice"),
        ("samples", "'samples' in 'samples' is not of the form key=value"),
        ("", "is not of the form key=value"),
        ("samples=many", "samples must be an integer, not 'many'"),
        ("samples=1.5", "samples must be an integer, not '1.5'"),
        ("samples=-1", "samples must be 0 to"),
        ("milliseconds=0", "milliseconds must be above 0, not 0"),
        ("milliseconds=inf", "milliseconds must be above 0"),
        ("milliseconds=nan", "milliseconds must be above 0"),
        ("samples=1,milliseconds=1", "either samples or milliseconds, not both"),
        ("opponent=heuristics", "unknown opponent 'heuristics' (nearest: heuristic)"),
        ("opponent=xyz", "unknown opponent 'xyz' (there are known, unknown, random"),
        ("margin_weight=2", "margin_weight must be 0 to 1, not 2"),
        ("draw_reward=-2", "draw_reward must be -1 to 1, not -2"),
        ("depth=0", "depth must be 1 to 12, not 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(text, message):
    with pytest.raises(ValueError) as caught:
        parse_search(text)
    assert message in str(caught.value) and "\n" not in str(caught.value)
