"""The connections between hosts, played by threads of this process."""

import os
import re
import signal
import socket
import threading
import time
from multiprocessing import Pipe
from typing import Any

import jax
import numpy as np
import pytest

from eval.matches.match import evaluate
from tests.eval.policies import highest
from train.evaluation import evaluate as evaluate_on_hosts
from train.games.plan import (
    games_of_host,
    groups_of_host,
    host_trajectories,
    plan_games,
    share_of_host,
)
from train.hosts import connected
from train.hosts.agreement import check_hosts
from train.hosts.base import HostError, Hosts
from train.hosts.connected import ConnectedHosts
from train.interrupt import Interrupted, StopSignals
from train.main import main


class Star:
    """Some hosts, all in this process."""

    def __init__(self, count: int, patience: float = 30.0):
        self.pipes = [Pipe() for _ in range(count - 1)]
        self.stops = [StopSignals() for _ in range(count)]
        ends = [[near for near, _ in self.pipes], *([far] for _, far in self.pipes)]
        self.hosts = [
            ConnectedHosts(index, count, ends[index], self.stops[index], patience)
            for index in range(count)
        ]

    def everywhere(self, call):
        """What `call(host)` returns or raises on each host, called on all at the same time."""
        results: list[object] = [None] * len(self.hosts)

        def run(index: int) -> None:
            try:
                results[index] = call(self.hosts[index])
            except (HostError, Interrupted) as error:
                results[index] = error

        threads = [threading.Thread(target=run, args=(i,)) for i in range(len(self.hosts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return results

    def vanish(self, host: int) -> None:
        """A host's process dies."""
        with socket.socket(fileno=os.dup(self.pipes[host - 1][1].fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def make_star():
    stars: list[Star] = []

    def make(*arguments: Any) -> Star:
        stars.append(Star(*arguments))
        return stars[-1]

    yield make
    for each in stars:
        for host in range(1, len(each.hosts)):
            each.vanish(host)


def test_a_host_alone_is_all_hosts():
    hosts = Hosts()
    assert hosts.first
    assert hosts.gather(7) == [7]
    assert hosts.share(lambda: 8) == 8
    assert hosts.why_lost(60) is None
    hosts.leave("no one listens")


def test_values_come_together_in_the_order_of_the_hosts(make_star):
    star = make_star(3)
    for turn in range(20):
        assert (
            star.everywhere(lambda host, t=turn: host.gather((t, host.index)))
            == [[(turn, 0), (turn, 1), (turn, 2)]] * 3
        )
        made: list[int] = []
        shared = star.everywhere(lambda host, m=made: host.share(lambda: m.append(1) or "made"))
        assert shared == ["made"] * 3
        assert made == [1]


def go_on(host):
    """What an iteration after the other comes to."""
    while True:
        host.gather(1)


@pytest.mark.parametrize("struck", [0, 1])
def test_a_signal_on_one_host_stops_all(make_star, struck):
    star = make_star(3)
    star.stops[struck].received = signal.SIGTERM
    errors = star.everywhere(go_on)
    assert [error.signal_number for error in errors] == [signal.SIGTERM] * 3
    said = [str(error) for error in errors]
    assert said.pop(struck) == "stopped by SIGTERM"
    assert said == [f"stopped by SIGTERM on host {struck}"] * 2


def test_the_others_are_told_of_a_host_that_is_lost(make_star):
    star = make_star(3)
    star.vanish(2)
    for index in (0, 1):
        with pytest.raises(HostError, match=r"host 2 of 3 was lost: its connection is closed"):
            star.hosts[index].gather(1)
    assert "host 2 of 3" in str(star.hosts[1].why_lost(0))


def test_silence_counts_as_loss_but_thinking_does_not(make_star):
    star = make_star(2, 4.0)
    # Nothing but pings for longer than the patience.
    time.sleep(4.5)
    assert star.everywhere(lambda host: host.gather(host.index)) == [[0, 1]] * 2
    near, far = Pipe()
    stop = StopSignals()
    ConnectedHosts(0, 2, [near], stop, patience=0.2)
    time.sleep(0.5)
    with pytest.raises(HostError, match="host 1 of 2 was lost: it has been silent"):
        stop.check()
    assert not far.closed


@pytest.mark.parametrize("sent", [b"garbage", b"cnowhere\nClass\n."])
def test_a_host_that_sends_what_cannot_be_read_is_lost(make_star, sent):
    star = make_star(3)
    star.pipes[0][1].send_bytes(sent)
    for index in (0, 2):
        with pytest.raises(HostError, match="host 1 of 3 sent what cannot be read: "):
            star.hosts[index].gather(1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"the version of jax": "0.1"}, f"the version of jax is '{jax.__version__}' on host 0 and"),
        ({"the program's source code": "a"}, "the program's source code is '[0-9a-f]{16}' on ho"),
        ({"the number of hosts": 3}, "the number of hosts is 2 on host 0 and 3 on host 1"),
        ({"a key of tomorrow": 3}, "a key of tomorrow is None on host 0 and 3 on host 1"),
        ({"seed": 7}, "seed is 42 on host 0 and 7 on host 1"),
    ],
)
def test_a_host_of_another_version_or_configuration_is_refused(
    make_star, small_config, changes, sentence
):
    star = make_star(2)

    def check(host):
        if host.index == 1:
            gather = host.gather
            host.gather = lambda own: gather(own | changes)
        check_hosts(host, small_config(0.5), 1)

    for error in star.everywhere(check):
        assert isinstance(error, HostError)
        assert re.match(sentence, str(error))


@pytest.mark.parametrize("failing", [0, 2])
def test_the_others_are_told_why_a_host_fails(make_star, monkeypatch, failing):
    monkeypatch.setattr(connected, "_LEAVE_SECONDS", 1.0)
    star = make_star(3)
    star.hosts[failing].leave("the disk is full")
    for index in {0, 1, 2} - {failing}:
        with pytest.raises(HostError, match=f"host {failing} of 3 failed: the disk is full"):
            star.hosts[index].gather(1)


def test_who_leaves_in_order_is_not_lost(make_star):
    star = make_star(2)
    star.hosts[1].leave()
    star.vanish(1)
    time.sleep(0.2)
    star.stops[0].check()


@pytest.mark.parametrize(("games", "groups", "hosts"), [(60, 4, 2), (61, 5, 3), (40, 7, 7)])
def test_the_parts_of_a_plan_are_the_whole(games, groups, hosts):
    shares = {"self": 0.5, "random": 0.25, "online": 0.25}
    plan = plan_games(
        shares, num_games=games, num_groups=groups, members=(), python_agents=(), seed=(1, 2)
    )
    parts = [share_of_host(plan, host, hosts) for host in range(hosts)]
    for name in ("seeds", "controllers", "opponent_index", "learner_seat"):
        together = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(together, getattr(plan, name))
    # Trajectories follow one another without gaps, from 0 on each host.
    first = 0
    for host, part in enumerate(parts):
        own = part.trajectories[part.trajectories >= 0]
        np.testing.assert_array_equal(own, np.arange(own.size))
        whole = plan.trajectories[plan.trajectories >= 0]
        np.testing.assert_array_equal(own + first, whole[first : first + own.size])
        first += own.size
        assert len(part.seeds) == games_of_host(games, groups, host, hosts)
        assert len(part.group_bounds) - 1 == len(groups_of_host(groups, host, hosts))
        assert part.group_bounds[0] == 0
        assert part.group_bounds[-1] == len(part.seeds)
    assert first == plan.trajectories.max() + 1


@pytest.mark.parametrize("hosts", [1, 2, 3, 5])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_hosts_trajectories_fit_the_room_they_have(small_config, hosts, share):
    config = small_config(games_per_iteration=61, num_groups=5, current_weight=share)
    shares = {"self": share, "random": 1 - share}
    plan = plan_games(shares, num_games=61, num_groups=5, members=(), python_agents=(), seed=(3,))
    room = host_trajectories(config, hosts)
    for host in range(hosts):
        assert share_of_host(plan, host, hosts).trajectories.max() < room


@pytest.fixture
def small_config():
    from train.config import Config, OpponentConfig

    def make(current_weight: float, **changes: int) -> Config:
        opponents = OpponentConfig(
            current_weight=current_weight,
            checkpoint_weight=0.0,
            random_weight=1 - current_weight,
            heuristic_weight=0.0,
        )
        return Config(experiment_name="x", total_iterations=1, opponent_config=opponents, **changes)  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("games", [2, 46])
def test_hosts_evaluate_as_one_does(make_star, games):
    arguments = (highest(), ["random", "online"], games, 5, "points")
    expected = evaluate(*arguments)
    star = make_star(3)
    stop = StopSignals()
    found = star.everywhere(lambda host: evaluate_on_hosts(host, *arguments, stop))
    for results in [*found, evaluate_on_hosts(Hosts(), *arguments, stop)]:
        for result, whole in zip(results, expected, strict=True):
            assert result == whole
            np.testing.assert_array_equal(result.margins, whole.margins)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--coordinator", "a:1"], "--coordinator, --num-processes and --process-id are given tog"),
        (
            ["--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"],
            "--process-id must be from 0 to 1 with --num-processes 2, not 2",
        ),
        (
            ["--coordinator", "a", "--num-processes", "2", "--process-id", "0"],
            "--coordinator must be HOST:PORT, not 'a'",
        ),
        (["--distributed", "auto", "--process-id", "1"], "--distributed auto finds"),
        (["--host-timeout", "0"], "--host-timeout must be above 0, not 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(capsys, arguments, sentence):
    assert main(["--config", "configs/quickstart.yaml", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {sentence}")
    assert error.count("\n") == 1
