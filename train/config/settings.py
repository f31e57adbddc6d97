"""The configuration of a run: every key with its default, its meaning and its limits.

The text of each key is the documentation's (`docs/configuration.md` is made from it). Objects are
checked when they are constructed, so an object that exists is a valid configuration.
"""

import math
import re
from dataclasses import MISSING, dataclass, field
from difflib import get_close_matches
from pathlib import Path

from bb_jax.config import ALGORITHMS, SCORINGS, ExpertConfig, NetworkConfig, PPOConfig
from bb_jax.search.config import parse_search
from bb_sim import OPPONENTS, SPECIES
from train.config.keys import check_distinct, check_fields, key

DEVICES = ("auto", "cpu", "cuda", "gpu")

_EXPERIMENT_NAME = re.compile(r"(?!\.)[^/\\@\s]+")
_RUN_REFERENCE = re.compile(r"[^@]+(@\d+)?")
# A module called "checkpoint" would look like a past checkpoint among the opponents.
_PYTHON_AGENT = re.compile(r"(?!checkpoint:)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


# ---------------------------------------------------------------------------------------------
# Sections
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpponentConfig:
    """What part of the games is played against whom.

    Raises:
      ValueError: on an impossible value, naming the key and the value.
    """

    current_weight: float = key(0.5, "Share of self-play, both seats learning.", minimum=0)
    checkpoint_weight: float = key(
        0.1, "Share of past checkpoints and exploiters, equally.", minimum=0
    )
    random_weight: float = key(0.1, "Share of the opponent `random`.", minimum=0)
    heuristic_weight: float = key(
        0.3, "Share of the other named opponents together; the four shares sum to 1.", minimum=0
    )
    # The two kinds of checkpoint opponents together stay below the 127 that an arena takes.
    max_checkpoints: int = key(
        10, "Most past checkpoints in the pool; the oldest leaves first.", minimum=0, maximum=100
    )

    def __post_init__(self) -> None:
        check_fields(self)
        names = ("current_weight", "checkpoint_weight", "random_weight", "heuristic_weight")
        total = math.fsum(getattr(self, name) for name in names)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"{' + '.join(names)} must be 1, not {total:.9g}")


# ---------------------------------------------------------------------------------------------
# The whole configuration
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of a run.

    Raises:
      ValueError: on an impossible value; the first word is the key's name.
    """

    # The run.
    experiment_name: str = key(MISSING, "Name of the run.", may_change=True)
    checkpoint_dir: str | None = key(
        None, "Folder of the run; null is `checkpoints/<experiment_name>`.", may_change=True
    )
    resume_from: str | None = key(
        None,
        "Run to start from, `RUN` or `RUN@STEP`, a path or a name under `checkpoints/`; or the "
        "file of a packed state.",
    )
    merge_with: str | None = key(
        None,
        "A second run, written as in `resume_from`, whose networks become the second tower: policy "
        "and values begin as the mean of both runs'.",
    )
    seed: int = key(42, "Seed of every random stream.", minimum=0, maximum=2**63 - 1)
    device: str = key(
        "auto",
        "`auto` takes the GPU where there is one; `cuda` or `gpu` is an error without one.",
        may_change=True,
        choices=DEVICES,
    )
    deterministic: bool = key(
        False, "Bit for bit the same results on a GPU too, more slowly.", may_change=True
    )
    total_iterations: int = key(
        MISSING,
        "Iterations when the run is finished, those before its start included.",
        may_change=True,
        minimum=1,
    )

    # Network and learning.
    algorithm: str = key(
        "ppo", "How is learned: from advantages, or from an expert's play.", choices=ALGORITHMS
    )
    network_config: NetworkConfig = field(default_factory=NetworkConfig)
    ppo_config: PPOConfig = field(default_factory=PPOConfig)
    expert_config: ExpertConfig = field(default_factory=ExpertConfig)
    lr_schedule: str = key(
        "constant",
        "Course of the learning rate after the warm-up.",
        choices=("constant", "cosine", "linear"),
    )
    lr_warmup_iterations: int = key(
        0, "Iterations over which the learning rate rises to its value.", minimum=0
    )
    min_learning_rate: float = key(
        0.0, "Learning rate that `cosine` and `linear` end at.", minimum=0
    )
    entropy_schedule: str = key(
        "none",
        "Course of the entropy coefficient over the run; `none` is `ppo_config.entropy_coef`.",
        choices=("none", "linear", "cosine"),
    )
    entropy_start: float = key(0.04, "Entropy coefficient at the start.", minimum=0)
    entropy_end: float = key(0.01, "Entropy coefficient at the end.", minimum=0)
    margin_weight: float = key(
        0.02, "Reward for each point of margin, beside 1 for a win and -1 for a loss.", minimum=0
    )

    draw_reward: float = key(
        0.0,
        "Reward for a draw, beside 1 for a win and -1 for a loss; win rates count it as no win.",
        minimum=-1,
        maximum=1,
    )

    # Games.
    games_per_iteration: int = key(8192, "Games of one iteration.", minimum=1)
    scoring: str = key(
        "points", "What decides a game: points or number of animals.", choices=SCORINGS
    )
    stop_when_decided: bool = key(True, "Whether a game ends as soon as its result is certain.")
    temperature_schedule: str = key(
        "none",
        "Course of the sampling temperature over the run; `none` stays at the start value.",
        choices=("none", "linear", "cosine"),
    )
    temperature_start: float = key(1.0, "Sampling temperature at the start.", above=0)
    temperature_end: float = key(0.5, "Sampling temperature at the end.", above=0)
    temp_threshold: int | None = key(
        None,
        "Moves of a game that are sampled, the best move from then on; null samples all.",
        minimum=1,
    )
    force_cython: bool = key(
        True, "There is no simulator but the Cython one: `false` is refused.", may_change=True
    )
    async_game_generation: bool = key(
        True, "Play the next iteration's games while learning (policy lag 1) or before it (0)."
    )
    async_num_workers: int = key(
        32,
        "Worker processes that play the games, at most the cores and the groups.",
        may_change=True,
        minimum=1,
    )
    num_groups: int = key(16, "Groups that an iteration's games are split into.", minimum=1)
    games_per_group: int = key(
        256,
        "Games that a group plays at a time: rows of one inference batch.",
        minimum=1,
    )
    buffer_size: int = key(
        800_000, "Capacity for one iteration's rollouts, in positions.", minimum=1
    )

    # Opponents.
    use_opponent_pool: bool = key(True, "`false` is self-play alone.")
    use_heuristic_variants: bool = key(
        True, "All ten named opponents; `false` is `random` and `heuristic`."
    )
    python_agents: tuple[str, ...] = key(
        (), "Agents, `package.module:Class`, that join the named opponents."
    )
    fixed_opponents: tuple[str, ...] = key(
        (),
        "Policies of other runs, `RUN` or `RUN@STEP`, that share `checkpoint_weight` throughout.",
    )
    opponent_config: OpponentConfig = field(default_factory=OpponentConfig)
    use_adaptive_weights: bool = key(
        True, "Play more against the named opponents that are beaten less often."
    )
    min_opponent_weight: float = key(
        0.05, "Least raw weight of a named opponent under adaptive weights.", above=0, maximum=1
    )
    use_exploit_patch: bool = key(
        False, "Train exploiters of the current policy that join the pool."
    )
    exploit_patch_interval: int = key(100, "Iterations from one exploiter to the next.", minimum=1)
    exploit_patch_iterations: int = key(20, "Iterations that train an exploiter.", minimum=1)
    exploit_patch_games: int = key(2000, "Games that evaluate an exploiter, even.", minimum=2)
    exploit_patch_threshold: float = key(
        0.55, "Win rate from which an exploiter joins the pool.", minimum=0, maximum=1
    )
    exploit_patch_max: int = key(
        3, "Most exploiters in the pool; the oldest leaves first.", minimum=0, maximum=20
    )

    # Evaluation and checkpoints.
    eval_opponents: tuple[str, ...] = key(
        OPPONENTS, "Opponents of the evaluations; the best checkpoint is best against them."
    )
    eval_frequency: int = key(
        25, "Iterations from one evaluation to the next.", may_change=True, minimum=1
    )
    eval_games: int = key(
        1000, "Games against each opponent in an evaluation, even.", may_change=True, minimum=2
    )
    final_eval_games: int = key(
        10_000,
        "Games against each opponent for the table at the end of the run, even.",
        may_change=True,
        minimum=2,
    )
    checkpoint_frequency: int = key(
        50,
        "Iterations from one checkpoint to the next; each becomes a member of the pool.",
        may_change=True,
        minimum=1,
    )
    keep_checkpoints: int = key(
        2, "Newest checkpoints kept, beside the best one.", may_change=True, minimum=1
    )

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_names()
        self._check_opponents()
        self._check_sizes()

    @property
    def run_dir(self) -> Path:
        """The run's folder."""
        return Path(self.checkpoint_dir or f"checkpoints/{self.experiment_name}")

    @property
    def learning_rate(self) -> float:
        """The step size of the algorithm, where a schedule starts."""
        chosen = self.ppo_config if self.algorithm == "ppo" else self.expert_config
        return chosen.learning_rate

    @property
    def named_opponents(self) -> tuple[str, ...]:
        """The named opponents that training games may be played against."""
        if not self.use_opponent_pool:
            return ()
        built_in = OPPONENTS if self.use_heuristic_variants else ("random", "heuristic")
        return (*built_in, *self.python_agents)

    @property
    def groups(self) -> int:
        """The number of groups that an iteration's games are split into, none of them empty."""
        return min(self.num_groups, self.games_per_iteration)

    @property
    def slots(self) -> int:
        """The games that a group plays at a time: no more than it has."""
        return min(self.games_per_group, -(-self.games_per_iteration // self.groups))

    @property
    def max_trajectories(self) -> int:
        """Most trajectories (one seat of one game each) that one iteration can produce.

        Self-play, with two to a game, takes the checkpoints' share while there are none.
        """
        games = self.games_per_iteration
        if not self.use_opponent_pool:
            return 2 * games
        shares = self.opponent_config
        self_play = math.ceil(games * (shares.current_weight + shares.checkpoint_weight)) + 1
        return games + min(self_play, games)

    @property
    def max_positions(self) -> int:
        """Most positions that one iteration can produce: a decision for each card of a seat."""
        return self.max_trajectories * len(SPECIES)

    def _check_names(self) -> None:
        if not _EXPERIMENT_NAME.fullmatch(self.experiment_name):
            raise ValueError(
                "experiment_name must be the name of a folder without spaces, '/' or '@', "
                f"not {self.experiment_name!r}"
            )
        if self.checkpoint_dir == "":
            raise ValueError("checkpoint_dir must be a folder or null, not ''")
        for name in ("resume_from", "merge_with"):
            run = getattr(self, name)
            if run is not None and not _RUN_REFERENCE.fullmatch(run):
                raise ValueError(f"{name} must be RUN or RUN@STEP with a whole number, not {run!r}")
        if self.merge_with is not None and self.resume_from is None:
            raise ValueError(
                f"merge_with must be null without resume_from, not {self.merge_with!r}"
            )
        if self.merge_with is not None and not self.network_config.second_tower:
            raise ValueError(
                "merge_with must be null where network_config.second_tower is empty, not "
                f"{self.merge_with!r}"
            )
        if not self.force_cython:
            raise ValueError("force_cython must be true, not false: there is no other simulator")

    def _check_opponents(self) -> None:
        check_distinct("python_agents", self.python_agents)
        for agent in self.python_agents:
            if not _PYTHON_AGENT.fullmatch(agent):
                raise ValueError(
                    f"python_agents must be 'package.module:Class' each, not {agent!r}"
                )
        check_distinct("fixed_opponents", self.fixed_opponents)
        check_distinct("eval_opponents", self.eval_opponents)
        if not self.eval_opponents:
            raise ValueError("eval_opponents must name at least one opponent, not []")
        valid = (*OPPONENTS, *self.python_agents)
        for name in self.eval_opponents:
            if name not in valid:
                nearest = get_close_matches(name, valid, n=1, cutoff=0.0)[0]
                raise ValueError(
                    f"eval_opponents names an unknown opponent, {name!r}; nearest is {nearest!r} "
                    f"(valid are {', '.join(valid)})"
                )

    def _check_sizes(self) -> None:
        if self.buffer_size < self.max_positions:
            raise ValueError(
                f"buffer_size is {self.buffer_size} positions, but the {self.games_per_iteration} "
                f"games of one iteration can take {self.max_positions}"
            )
        if self.ppo_config.minibatch_size > self.buffer_size:
            raise ValueError(
                f"ppo_config.minibatch_size is {self.ppo_config.minibatch_size} positions, but "
                f"buffer_size holds {self.buffer_size}"
            )
        try:
            search = parse_search(self.expert_config.search)
        except ValueError as error:
            raise ValueError(f"expert_config.{error}") from error
        if search.samples is None:
            raise ValueError(
                "expert_config.search must have its budget in samples, which can be repeated, "
                f"not {self.expert_config.search!r}"
            )
        if self.algorithm == "expert_iteration" and self.network_config.afterstates:
            raise ValueError(
                "network_config.afterstates must be false, not true, under expert_iteration, "
                "whose expert plays by the values of afterstates"
            )
        if self.min_learning_rate > self.learning_rate:
            section = "ppo_config" if self.algorithm == "ppo" else "expert_config"
            raise ValueError(
                f"min_learning_rate must be at most {section}.learning_rate "
                f"({self.learning_rate}), not {self.min_learning_rate}"
            )
        if self.lr_warmup_iterations >= self.total_iterations:
            raise ValueError(
                f"lr_warmup_iterations must be below total_iterations ({self.total_iterations}), "
                f"not {self.lr_warmup_iterations}"
            )
        for name in ("eval_games", "final_eval_games", "exploit_patch_games"):
            if getattr(self, name) % 2:
                raise ValueError(
                    f"{name} must be even, for every deal is played from both seats, "
                    f"not {getattr(self, name)}"
                )
