"""Bad input to the arena: a clear exception, no crash, and its games go on unchanged."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bb_sim import OPPONENTS
from bb_sim.arena import EXTERNAL, NO_ACTION, NO_DECISION, Arena, RolloutBuffer
from bb_sim.opponents.choice import play_opponents
from bb_sim.rules.observation import legal_mask_of
from tests.bb_sim.bad_input import BAD_SCORINGS, NO_INTEGERS, assert_refused, read_only

ROOT = Path(__file__).resolve().parents[2]
S, G = 3, 8
SEEDS = np.arange(G, dtype=np.uint64)
CONTROLLERS = np.full((G, 2), EXTERNAL, np.uint8)
CONTROLLERS[::2, 0] = OPPONENTS.index("noisy")


def first_legal_actions(arena: Arena) -> np.ndarray:
    legal = legal_mask_of(arena.observations)
    return np.where(arena.deciders == NO_DECISION, NO_ACTION, legal.argmax(axis=1)).astype(np.uint8)


def some_arena(steps: int = 5) -> Arena:
    arena = Arena(S)
    arena.start(SEEDS, CONTROLLERS)
    for _ in range(steps):
        arena.step(first_legal_actions(arena))
    return arena


def assert_same(arena: Arena, twin: Arena) -> None:
    assert arena.pending == twin.pending
    for name in ("observations", "deciders", "games", "margins", "outcomes"):
        shown, expected = getattr(arena, name), getattr(twin, name)
        assert shown.shape == expected.shape and np.array_equal(shown, expected), name


@pytest.fixture
def arena():
    """An arena in mid-game, which must be as it was at the end, random streams included."""
    given_arena, twin = some_arena(), some_arena()
    yield given_arena
    while twin.pending:
        assert_same(given_arena, twin)
        given_arena.step(first_legal_actions(given_arena))
        twin.step(first_legal_actions(twin))
    assert_same(given_arena, twin)


@pytest.mark.parametrize("slots", (0, -1, 2**31, 2**40, 2**64, -(2**70), *NO_INTEGERS))
def test_numbers_of_slots(slots):
    assert_refused(Arena, slots)


@pytest.mark.parametrize("scoring", BAD_SCORINGS)
def test_scorings(scoring):
    assert_refused(Arena, S, scoring)


BAD_OBSERVATIONS = (
    [[0] * 19] * S,
    "rows",
    np.zeros((S, 19), np.int8),
    np.zeros((S, 18), np.uint8),
    np.zeros((S + 1, 19), np.uint8),
    np.zeros(S * 19, np.uint8),
    np.zeros((19, S), np.uint8).T,
    np.zeros((S, 38), np.uint8)[:, ::2],
    read_only(np.zeros((S, 19), np.uint8)),
)
BAD_DECIDERS = (
    [0] * S,
    np.zeros(S, np.int8),
    np.zeros(S - 1, np.uint8),
    np.zeros((S, 1), np.uint8),
    np.zeros(2 * S, np.uint8)[::2],
    read_only(np.zeros(S, np.uint8)),
)


@pytest.mark.parametrize("observations", BAD_OBSERVATIONS)
def test_observation_buffers(observations):
    assert_refused(Arena, S, observations=observations)


@pytest.mark.parametrize("deciders", BAD_DECIDERS)
def test_decider_buffers(deciders):
    assert_refused(Arena, S, deciders=deciders)


def test_an_arena_is_neither_copied_nor_left_empty(arena):
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        assert_refused(call, arena)
    assert_refused(Arena)
    assert_refused(Arena.__new__, Arena)


@pytest.mark.parametrize(
    "seeds",
    (
        *(None, 1, "12345678", list(range(G)), [], np.zeros(0)),
        *(SEEDS.astype(np.int64), SEEDS.astype(np.float64), SEEDS.astype(object)),
        *(SEEDS[:-1], SEEDS[:, None], SEEDS.reshape(2, -1), np.array(1, np.uint64)),
    ),
)
def test_seeds(arena, seeds):
    assert_refused(arena.start, seeds, CONTROLLERS)


@pytest.mark.parametrize(
    "controllers",
    (
        *(None, 1, "random", [["random", "random"]] * G, CONTROLLERS.astype(np.int64).tolist()),
        *(CONTROLLERS.astype(np.int8), CONTROLLERS.astype(np.float32)),
        *(CONTROLLERS[:-1], CONTROLLERS[:, :1], CONTROLLERS.T, CONTROLLERS.ravel()),
        *(np.full((G, 2), number, np.uint8) for number in (10, 11, EXTERNAL - 1, 255)),
    ),
)
def test_controllers(arena, controllers):
    assert_refused(arena.start, SEEDS, controllers)


TRAJECTORIES = np.where(CONTROLLERS == EXTERNAL, np.arange(2 * G).reshape(G, 2), -1)


@pytest.mark.parametrize(
    "trajectories",
    (
        *(None, 0, "all", TRAJECTORIES[:-1], TRAJECTORIES.T, TRAJECTORIES.ravel()),
        *(np.zeros((G, 2), np.int32), np.arange(2 * G).reshape(G, 2), TRAJECTORIES + 2 * G),
        *(np.where(TRAJECTORIES < 0, -1, TRAJECTORIES + 2**32), TRAJECTORIES + 0.5),
        np.full((G, 2), np.nan),
    ),
)
def test_trajectories(arena, trajectories):
    rollout = RolloutBuffer(2 * G)
    rollout.lengths[:] = 7
    assert_refused(arena.start, SEEDS, CONTROLLERS, rollout=rollout, trajectories=trajectories)
    assert (rollout.lengths == 7).all()


@pytest.mark.parametrize("rollout", (0, "rollout", [], {}, np.zeros((2 * G, 12, 19), np.uint8)))
def test_rollouts(arena, rollout):
    assert_refused(arena.start, SEEDS, CONTROLLERS, rollout=rollout, trajectories=TRAJECTORIES)


@pytest.mark.parametrize("number", (-1, 2**31, 2**64, *NO_INTEGERS))
def test_numbers_of_trajectories(number):
    assert_refused(RolloutBuffer, number, observations=np.zeros((0, 12, 19), np.uint8))


@pytest.mark.parametrize("name", ("observations", "actions", "log_probs", "lengths", "rewards"))
def test_rollout_arrays(name):
    good = getattr(RolloutBuffer(4), name)
    for bad in (
        *(good.tolist(), "array", 0, good[:-1], good[None], good.astype(np.float64)),
        *(np.repeat(good, 2, axis=0)[::2], read_only(good.copy())),
    ):
        assert_refused(RolloutBuffer, 4, **{name: bad})


@pytest.mark.parametrize(
    "actions",
    (
        *(None, 0, "012", [NO_ACTION] * S, [], np.zeros(S), np.zeros(S, np.int64)),
        *(np.zeros(S, np.int8), np.zeros(S, bool), np.zeros(S - 1, np.uint8)),
        *(np.zeros(S + 1, np.uint8), np.zeros((S, 1), np.uint8), np.zeros((1, S), np.uint8)),
    ),
)
def test_forms_of_actions(arena, actions):
    assert_refused(arena.step, actions)


def test_an_illegal_action_in_any_slot_stops_all(arena):
    legal = legal_mask_of(arena.observations)
    for slot in range(S):
        actions = first_legal_actions(arena)
        for action in range(255):
            if action >= 33 or not legal[slot, action]:
                actions[slot] = action
                assert_refused(arena.step, actions)


def test_actions_may_be_of_any_layout():
    plain, strided, frozen = some_arena(), some_arena(), some_arena()
    while plain.pending:
        actions = first_legal_actions(plain)
        plain.step(actions)
        strided.step(np.repeat(actions, 2)[::2])
        frozen.step(read_only(actions.copy()))
        assert_same(strided, plain)
        assert_same(frozen, plain)


@pytest.mark.parametrize(
    "log_probs",
    (
        *(None, 0.0, "0", [0.0] * S, np.zeros(S), np.zeros(S, np.float16)),
        *(np.zeros(S - 1, np.float32), np.zeros((S, 1), np.float32)),
    ),
)
def test_log_probs(log_probs):
    arena, rollout = Arena(S), RolloutBuffer(2 * G)
    arena.start(SEEDS, CONTROLLERS, rollout=rollout, trajectories=TRAJECTORIES)
    before = arena.observations.copy()
    assert_refused(arena.step, first_legal_actions(arena), log_probs)
    assert np.array_equal(arena.observations, before) and not rollout.lengths.any()


@pytest.mark.parametrize("slot", (-1, S, 2**31, 2**64, -(2**70), *NO_INTEGERS))
def test_slots(arena, slot):
    assert_refused(arena.state, slot)


def test_the_games_in_the_slots_are_not_for_others_to_write(arena):
    with pytest.raises(ValueError, match="read-only"):
        arena.games[0] = 0
    for name in ("observations", "deciders", "games", "margins", "outcomes", "pending"):
        with pytest.raises(AttributeError):
            setattr(arena, name, None)


def test_an_arena_is_made_once():
    """Made anew with fewer slots, it must not write beyond them; a crash would end a process."""
    code = """
from bb_sim.arena import Arena
arena = Arena(100_000)
try:
    arena.__init__(1)
except (TypeError, ValueError) as refusal:
    assert str(refusal)
assert len(arena.observations) == len(arena.deciders) == len(arena.games) == arena.num_slots
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr


def test_a_trajectory_never_outgrows_its_rows():
    """Two arenas that record into the same trajectories must not write beyond them."""
    rollout = RolloutBuffer(2)
    arenas = [Arena(1, stop_when_decided=False) for _ in range(2)]
    both = np.full((1, 2), EXTERNAL, np.uint8)
    for number, arena in enumerate(arenas):
        arena.start(SEEDS[:1] + number, both, rollout=rollout, trajectories=[[0, -1]])
    log_probs = np.zeros(1, np.float32)
    for arena in arenas:
        while arena.pending and (rollout.lengths <= 12).all():
            try:
                arena.step(first_legal_actions(arena), log_probs)
            except ValueError as refusal:
                assert str(refusal)
                break
    assert (rollout.lengths <= 12).all()
    assert not rollout.observations[1].any() and not rollout.actions[1].any()


class _WithoutConstructor(Arena):
    def __init__(self, num_slots: int) -> None:
        pass


class _RecordWithoutConstructor(RolloutBuffer):
    def __init__(self, num_trajectories: int) -> None:
        pass


def test_a_subclass_may_leave_the_constructor_out():
    arena, twin = _WithoutConstructor(S), Arena(S)
    record = _RecordWithoutConstructor(2 * G)
    log_probs = np.zeros(S, np.float32)
    for one, rollout in ((arena, record), (twin, RolloutBuffer(2 * G))):
        one.start(SEEDS, CONTROLLERS, rollout=rollout, trajectories=TRAJECTORIES)
    while twin.pending:
        assert_same(arena, twin)
        actions = first_legal_actions(twin)
        arena.step(actions, log_probs)
        twin.step(actions, log_probs)
    assert_same(arena, twin)
    assert (record.lengths == 12).any()


def test_a_record_is_made_once():
    """Made anew with fewer trajectories, an arena must not write beyond them."""
    arena, record = Arena(S), RolloutBuffer(2 * G)
    arena.start(SEEDS, CONTROLLERS, rollout=record, trajectories=TRAJECTORIES)
    try:
        record.__init__(1)  # type: ignore[misc]
    except (TypeError, ValueError) as refusal:
        assert str(refusal)
    assert len(record.lengths) == len(record.observations) == 2 * G
    while arena.pending:
        arena.step(first_legal_actions(arena), np.zeros(S, np.float32))


def test_actions_may_lie_where_deciders_are_written():
    """A decider written over an action must not be played in its place."""
    memory = np.zeros(S + 1, np.uint8)
    arena, twin = Arena(S, deciders=memory[1:]), Arena(S)
    for one in (arena, twin):
        one.start(SEEDS, CONTROLLERS)
    while twin.pending:
        actions = first_legal_actions(twin)
        memory[:S] = actions
        arena.step(memory[:S])
        twin.step(actions)
        assert np.array_equal(arena.observations, twin.observations)
    assert np.array_equal(arena.margins, twin.margins)


def unaligned(good: np.ndarray) -> np.ndarray:
    memory = np.zeros(good.nbytes + 1, np.uint8)
    moved: np.ndarray = np.ndarray(good.shape, good.dtype, memory.data, 1)
    moved[...] = good
    return moved


def test_arrays_may_lie_anywhere_in_memory():
    plain, moved = some_arena(0), Arena(S)
    moved.start(unaligned(SEEDS), CONTROLLERS)
    assert_same(plain, moved)
    margins = play_opponents(SEEDS, "heuristic", "noisy")
    assert np.array_equal(play_opponents(unaligned(SEEDS), "heuristic", "noisy"), margins)


@pytest.mark.parametrize("name", ("log_probs", "lengths", "rewards"))
def test_arrays_to_write_to_are_aligned(name):
    good = getattr(RolloutBuffer(4), name)
    assert_refused(RolloutBuffer, 4, **{name: unaligned(good)})


def test_arrays_to_write_to_lie_apart():
    memory = np.zeros(S * 19 + S, np.uint8)
    observations = memory[: S * 19].reshape(S, 19)
    assert_refused(Arena, S, observations=observations, deciders=memory[:S])
    Arena(S, observations=observations, deciders=memory[S * 19 :])
    rewards = np.zeros((4, 2), np.float32)
    lengths = rewards.view(np.int32).reshape(-1)[:4]
    assert_refused(RolloutBuffer, 4, lengths=lengths, rewards=rewards)
