"""Players that search, in matches and on the command line."""

import json

import numpy as np
import pytest

from bb_jax import load_policy
from bb_jax.search import parse_search
from bb_sim import SPECIES, GameBatch, c_state_to_python, python_to_c_state
from bb_sim.opponents.posterior import NUM_MODELS, uniform_posterior
from bb_sim.rules.state import State
from eval.main import main
from eval.matches.match import play_matches, play_pairings
from eval.matches.players import NamedPlayer, identity_of, network_player, search_player
from eval.matches.resumable import PartialResults, play_in_parts


@pytest.fixture(scope="module")
def policy(tiny_checkpoints):
    return load_policy(tiny_checkpoints / "checkpoints" / "tiny" / "policies" / "000001.policy")


def searching(policy, text):
    return search_player("searching", policy, parse_search(text))


def play(player, opponents, games=8, **options):
    results = play_matches([player], opponents, games, 3, **options)
    return [result.margins.tolist() for result in results]


@pytest.mark.parametrize("opponent", ["known", "unknown"])
def test_games_do_not_depend_on_what_is_played_at_once(policy, opponent):
    player = searching(policy, f"samples=6,opponent={opponent}")
    others = [NamedPlayer("online"), NamedPlayer("random"), network_player("other", policy)]
    together = play(player, others)
    assert together == play(player, others, slots=3)
    assert together == [play(player, [other])[0] for other in others]


def test_both_seats_may_search(policy):
    player = searching(policy, "samples=4,opponent=unknown")
    other = searching(policy, "samples=8,opponent=network")
    results = play_pairings([(player, other), (player, player)], 4, 1)
    assert [result.games for result in results] == [4, 4]


def test_a_policy_of_expert_iteration_has_a_say_without_samples(policy):
    taught = policy._replace(metadata=policy.metadata | {"policy_temperature": 0.5})
    player, other = searching(policy, "samples=0"), searching(taught, "samples=0")
    assert identity_of(player) != identity_of(other)
    opponents = [NamedPlayer("online")]
    assert play(player, opponents, 40) != play(other, opponents, 40)


def test_search_wins_more(policy):
    alone = play_matches([network_player("alone", policy)], [NamedPlayer("heuristic")], 60, 0)
    player = searching(policy, "samples=30,opponent=known")
    assert play_matches([player], [NamedPlayer("heuristic")], 60, 0)[0].wins > alone[0].wins + 10


def test_a_long_evaluation_keeps_its_games_early(policy, tmp_path):
    partial = PartialResults(tmp_path / "partial", lambda text: None)
    player = searching(policy, "samples=2,opponent=known")
    kept = []

    def note_what_is_kept(finished, total):
        kept.append(partial.path.exists())

    play_in_parts(
        [(player, NamedPlayer("random"))], 600, 0, partial=partial, on_progress=note_what_is_kept
    )
    assert kept[0] is False and kept[-1] is True


def test_searches_that_differ_have_different_identities(policy):
    texts = ("samples=4", "samples=5", "samples=4,opponent=known", "samples=4,margin_weight=0.1")
    players = [network_player("alone", policy), *(searching(policy, text) for text in texts)]
    assert len({identity_of(player) for player in players}) == len(players)


def swap_hidden(state: State, rng: np.random.Generator) -> State:
    """The state with the opponent's hand and deck, and the mover's deck, dealt anew."""
    mover, other = state.to_move, 1 - state.to_move
    hands, decks = list(state.hands), list(state.decks)
    unseen = [*hands[other], *decks[other]]
    unseen = [unseen[i] for i in rng.permutation(len(unseen))]
    held = len(hands[other])
    hands[other] = tuple(sorted(unseen[:held], key=lambda card: SPECIES.index(card.species)))
    decks[other] = tuple(unseen[held:])
    decks[mover] = tuple(decks[mover][i] for i in rng.permutation(len(decks[mover])))
    return State(
        hands=tuple(hands),
        decks=tuple(decks),
        queue=state.queue,
        bar=state.bar,
        thats_it=state.thats_it,
        to_move=state.to_move,
        turn=state.turn,
    )


def test_hidden_cards_change_nothing(policy):
    rng = np.random.default_rng(0)
    player = searching(policy, "samples=10,opponent=unknown")
    batch = GameBatch(30)
    batch.reset(np.arange(30, dtype=np.uint64))
    changed = GameBatch(30)
    shares = np.full((30, NUM_MODELS), 1 / NUM_MODELS)
    seeds = np.arange(30, dtype=np.uint64)
    for _ in range(12):
        dealt_anew = 0
        for index in range(30):
            state = c_state_to_python(batch, index)
            other = swap_hidden(state, rng)
            dealt_anew += other != state
            python_to_c_state(other, changed, index)
        assert dealt_anew > 20
        found, again = (
            player.search(player.params, rows, uniform_posterior(rows, shares), seeds)
            for rows in (batch.observations().copy(), changed.observations().copy())
        )
        assert (found.values == again.values).all() and (found.actions == again.actions).all()
        batch.step_random()


# --- The command line -----------------------------------------------------------------------------


def arguments(folder, *more):
    checkpoint = str(folder / "checkpoints" / "tiny")
    return ["--checkpoint", checkpoint, "--games", "4", "--device", "cpu", *more]


def test_checkpoints_search_on_demand(tiny_checkpoints, tmp_path, capsys):
    file = tmp_path / "result.json"
    options = ("--search", "samples=5,opponent=known", "--opponents", "random,skunk")
    assert main(arguments(tiny_checkpoints, *options, "--json", str(file))) == 0
    assert "search (samples=5,opponent=known)" in capsys.readouterr().out
    assert json.loads(file.read_text())["search"] == "samples=5,opponent=known"


def test_searches_are_compared_on_the_same_deals(tiny_checkpoints, tmp_path, capsys):
    file = tmp_path / "result.json"
    options = ("--search", "samples=5", "--search", "none", "--opponents", "skunk")
    assert main(arguments(tiny_checkpoints, *options, "--json", str(file))) == 0
    printed = capsys.readouterr().out
    assert "(samples=5,opponent=unknown) minus" in printed and "(no search), deal by" in printed
    both = json.loads(file.read_text())
    assert both["search"] == "samples=5,opponent=unknown"
    (bare,) = both["compared"]
    assert bare["search"] is None
    (difference,) = both["differences"]
    gained = both["results"][0]["win_rate"] - bare["results"][0]["win_rate"]
    assert difference["win_rate"]["mean"] == pytest.approx(gained)

    alone = tmp_path / "alone.json"
    assert main(arguments(tiny_checkpoints, "--opponents", "skunk", "--json", str(alone))) == 0
    assert json.loads(alone.read_text())["results"] == bare["results"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--search", "sampels=5"), "search: unknown key sampels"),
        (("--search", "samples=5", "--temperature", "1"), "--search plays the best action"),
    ],
)
def test_searches_that_cannot_be_are_refused(tiny_checkpoints, options, message, capsys):
    assert main(arguments(tiny_checkpoints, *options)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
