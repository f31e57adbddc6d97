"""Players by name."""

import pytest

from bb_jax.errors import EvaluationError
from bb_sim import OPPONENTS
from eval.matches.players import (
    AgentPlayer,
    NamedPlayer,
    as_player,
    make_player,
    split_specifications,
)

HERE = "tests.eval.policies"


def test_the_named_opponents_are_players():
    assert [make_player(name) for name in OPPONENTS] == [NamedPlayer(name) for name in OPPONENTS]


def test_a_python_agent_is_imported_by_its_name():
    player = make_player(f"{HERE}:FirstAgent")
    assert isinstance(player, AgentPlayer)
    assert player.name == f"{HERE}:FirstAgent"
    assert type(player.agent).__name__ == "FirstAgent"


@pytest.mark.parametrize(
    ("specification", "sentence"),
    [
        ("no.such.module:Agent", "cannot import no.such.module"),
        (f"{HERE}:Missing", "has no class Missing"),
        (f"{HERE}:NeedyAgent", "cannot be made without arguments"),
        (f"{HERE}:NoAgent", "has no method select_action"),
    ],
)
def test_an_agent_that_cannot_be_had_is_one_clear_sentence(specification, sentence):
    with pytest.raises(EvaluationError, match=sentence) as caught:
        make_player(specification)
    assert specification in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_named_player_comes_with_the_nearest_one():
    with pytest.raises(EvaluationError, match=r"'heuristc' \(nearest: heuristic\)"):
        NamedPlayer("heuristc")


def test_a_value_that_is_no_player_is_refused():
    with pytest.raises(EvaluationError, match="opponent: a int is not a player"):
        as_player(3, "opponent")


def test_a_list_of_opponents_is_split_and_all_stands_for_the_ten():
    assert split_specifications("queue, run@5") == ["queue", "run@5"]
    assert split_specifications("all,a.b:C") == [*OPPONENTS, "a.b:C"]


@pytest.mark.parametrize("text", ["", "queue,", "queue,,skunk", "queue,queue", "all,queue"])
def test_a_list_with_an_empty_or_double_entry_is_refused(text):
    with pytest.raises(EvaluationError, match="list"):
        split_specifications(text)
