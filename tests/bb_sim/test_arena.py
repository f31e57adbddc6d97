"""The arena against games played one by one through the Python face."""

import numpy as np
import pytest

from bb_sim import (
    OPPONENTS,
    SPECIES,
    Action,
    is_decided,
    is_terminal,
    legal_actions,
    new_game,
    observe,
    scores,
    step,
)
from bb_sim.arena import EXTERNAL, NO_ACTION, NO_DECISION, Arena, RolloutBuffer
from bb_sim.rules.actions import ACTIONS
from bb_sim.rules.observation import legal_mask_of

SEEDS = np.arange(100, 140, dtype=np.uint64)
BOTH_EXTERNAL = np.full((len(SEEDS), 2), EXTERNAL, np.uint8)


def choose(row: np.ndarray) -> int:
    """A legal action that depends on the observation row alone."""
    legal = np.flatnonzero(legal_mask_of(row))
    return int(legal[int(row.astype(np.int64).sum()) % len(legal)])


def play_out(arena: Arena, **recording) -> list[tuple[int, bytes, int]]:
    """Plays all games with `choose`; returns (game, observation, action) of every decision."""
    decisions = []
    while arena.pending:
        actions = np.full(arena.num_slots, NO_ACTION, np.uint8)
        for slot in np.flatnonzero(arena.deciders != NO_DECISION):
            row = arena.observations[slot]
            actions[slot] = choose(row)
            decisions.append((int(arena.games[slot]), row.tobytes(), int(actions[slot])))
        arena.step(actions, **recording)
    return decisions


def play_by_hand(seed: int | np.uint64, stop_when_decided: bool):
    """The same game through the Python face: its rows, actions and final state."""
    state, rows, actions = new_game(int(seed)), [], []
    while not (is_decided(state) if stop_when_decided else is_terminal(state)):
        row = observe(state)
        rows.append(row.tobytes())
        actions.append(choose(row))
        state = step(state, ACTIONS[actions[-1]])
    return rows, actions, state


@pytest.mark.parametrize("stop_when_decided", [True, False])
def test_external_games_equal_games_played_by_hand(stop_when_decided):
    arena = Arena(7, stop_when_decided=stop_when_decided)
    arena.start(SEEDS, BOTH_EXTERNAL)
    decisions = play_out(arena)
    for game, seed in enumerate(SEEDS):
        rows, actions, state = play_by_hand(seed, stop_when_decided)
        assert [row for index, row, _ in decisions if index == game] == rows
        assert [action for index, _, action in decisions if index == game] == actions
        own, other = scores(state)
        assert arena.margins[game] == own - other
        assert arena.outcomes[game] == np.sign(own - other)


@pytest.mark.parametrize("slots", [1, 3, 40, 64])
@pytest.mark.parametrize("opponent", ["random", "heuristic", "noisy", "distilled_outcome"])
def test_the_number_of_slots_changes_nothing(slots, opponent):
    controllers = np.full((len(SEEDS), 2), EXTERNAL, np.uint8)
    controllers[::2, 0] = controllers[1::2, 1] = OPPONENTS.index(opponent)
    results = []
    for size in (5, slots):
        arena = Arena(size)
        arena.start(SEEDS, controllers)
        decisions = play_out(arena)
        results.append((sorted(decisions), arena.margins.tolist(), arena.outcomes.tolist()))
    assert results[0] == results[1]


def test_named_opponents_alone_play_to_the_end_at_once():
    arena = Arena(4)
    controllers = np.array([[OPPONENTS.index("heuristic"), OPPONENTS.index("random")]], np.uint8)
    arena.start(np.arange(400, dtype=np.uint64), np.repeat(controllers, 400, axis=0))
    assert arena.pending == 0
    assert (arena.outcomes == 1).mean() > 0.8
    assert (arena.deciders == NO_DECISION).all() and not arena.observations.any()


def test_a_rollout_holds_every_decision_of_its_trajectories():
    arena = Arena(6)
    controllers = BOTH_EXTERNAL.copy()
    controllers[:10, 1] = OPPONENTS.index("queue")
    trajectories = np.arange(2 * len(SEEDS), dtype=np.int32).reshape(-1, 2)[::-1].copy()
    trajectories[:10, 1] = -1
    buffer = RolloutBuffer(2 * len(SEEDS))
    buffer.lengths[:] = 99
    arena.start(SEEDS, controllers, rollout=buffer, trajectories=trajectories)
    decisions = play_out(arena, log_probs=np.full(6, -0.25, np.float32))
    recorded = 0
    for game in range(len(SEEDS)):
        own = [(row, action) for index, row, action in decisions if index == game]
        for seat in range(2):
            trajectory = trajectories[game, seat]
            if trajectory < 0:
                continue
            # In self-play the seats alternate; against an opponent all decisions are the learner's.
            mine = own if game < 10 else own[seat::2]
            length = buffer.lengths[trajectory]
            assert length == len(mine)
            assert [row.tobytes() for row in buffer.observations[trajectory, :length]] == [
                row for row, _ in mine
            ]
            assert buffer.actions[trajectory, :length].tolist() == [action for _, action in mine]
            assert (buffer.log_probs[trajectory, :length] == -0.25).all()
            sign = 1 - 2 * seat
            rewards = [sign * arena.outcomes[game], sign * arena.margins[game]]
            assert buffer.rewards[trajectory].tolist() == rewards
            recorded += length
    assert recorded == len(decisions)


def test_animals_scoring_decides_ties_by_strength():
    games = 200
    arena = Arena(32, scoring="animals", stop_when_decided=False)
    arena.start(np.arange(games, dtype=np.uint64), np.full((games, 2), EXTERNAL, np.uint8))
    play_out(arena)
    ties = 0
    for game in range(games):
        state = play_by_hand(game, stop_when_decided=False)[2]
        counts = scores(state, "animals")
        strengths = [0, 0]
        for card in state.bar:
            strengths[card.owner] += SPECIES.index(card.species) + 1
        margin = counts[0] - counts[1]
        ties += margin == 0
        assert arena.margins[game] == margin
        assert arena.outcomes[game] == np.sign(margin or strengths[1] - strengths[0])
    assert ties > 0


def test_state_is_the_game_in_the_slot():
    arena = Arena(3)
    arena.start(SEEDS[:2], BOTH_EXTERNAL[:2])
    assert arena.state(1) == new_game(int(SEEDS[1]))
    with pytest.raises(ValueError, match="slot 2 holds no game"):
        arena.state(2)
    with pytest.raises(IndexError, match="slot 3"):
        arena.state(3)


def test_an_illegal_action_is_named_and_changes_nothing():
    arena = Arena(2)
    arena.start(SEEDS[:2], BOTH_EXTERNAL[:2])
    before = [arena.state(slot) for slot in range(2)]
    legal = legal_actions(before[1])
    illegal = next(i for i, action in enumerate(ACTIONS) if action not in legal)
    first = choose(arena.observations[0])
    with pytest.raises(ValueError, match=r"not legal in slot 1 \(game 1\)"):
        arena.step(np.array([first, illegal], np.uint8))
    with pytest.raises(ValueError, match="action 200 is not legal in slot 1"):
        arena.step(np.array([first, 200], np.uint8))
    assert [arena.state(slot) for slot in range(2)] == before
    assert Action("lion", ()) in ACTIONS


def test_decisions_may_be_left_waiting():
    arena = Arena(2)
    arena.start(SEEDS[:2], BOTH_EXTERNAL[:2])
    waiting = arena.state(1)
    arena.step(np.array([choose(arena.observations[0]), NO_ACTION], np.uint8))
    assert arena.state(1) == waiting
    assert arena.state(0).turn == 1
    assert arena.pending == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": SEEDS.astype(np.int64)}, "seeds must be a uint64 array"),
        ({"seeds": SEEDS[:3]}, r"controllers must be a uint8 array of shape \(3, 2\)"),
        ({"controllers": np.full((40, 2), 12, np.uint8)}, "a controller is an opponent below 10"),
        ({"controllers": np.full((40, 2), 255, np.uint8)}, "external policies end at"),
        ({"rollout": "none"}, "rollout must be a RolloutBuffer"),
        ({"trajectories": np.zeros((3, 2), np.int32)}, r"int32 array of shape \(40, 2\)"),
        ({"trajectories": np.zeros((40, 2), np.int32)}, "belongs to one seat"),
        ({"trajectories": np.full((40, 2), 80, np.int32)}, "trajectory 80 lies beyond"),
    ],
)
def test_games_that_do_not_fit_are_refused(change, message):
    arguments = {
        "seeds": SEEDS,
        "controllers": BOTH_EXTERNAL,
        "rollout": RolloutBuffer(80),
        "trajectories": np.arange(80, dtype=np.int32).reshape(40, 2),
    } | change
    with pytest.raises(ValueError, match=message):
        Arena(2).start(**arguments)


def test_buffers_and_actions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="num_slots"):
        Arena(0)
    with pytest.raises(ValueError, match="scoring must be one of points, animals"):
        Arena(2, scoring="goals")
    with pytest.raises(ValueError, match="observations must be a uint8 array"):
        Arena(2, observations=np.zeros((2, 19), np.float32))
    with pytest.raises(ValueError, match="C-contiguous, aligned and writable"):
        Arena(2, deciders=np.zeros(4, np.uint8)[::2])
    arena = Arena(2)
    arena.start(
        SEEDS[:2], BOTH_EXTERNAL[:2], rollout=RolloutBuffer(4), trajectories=[[0, 1], [2, 3]]
    )
    with pytest.raises(ValueError, match="log_probs are needed"):
        arena.step(np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match=r"actions must be a uint8 array of shape \(2,\)"):
        arena.step(np.zeros(3, np.uint8))
