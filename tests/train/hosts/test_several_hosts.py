"""Runs on two hosts: two processes with gloo between them."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.running import assert_alike, metrics, train, write_config
from tests.waiting import PATIENCE, promised, wait_until
from tests.warm_python import start_module

CHANGES: dict[str, Any] = {
    "total_iterations": 3,
    "use_exploit_patch": False,
    "eval_games": 6,
    "final_eval_games": 6,
    "num_groups": 3,
}


class TwoHosts:
    """`python -m train.main` on two hosts; a context manager that leaves no process."""

    def __init__(self, *configs, faults=((), ()), arguments=(), started=(0, 1), address=None):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.address = address or listener.getsockname()
        address = "{}:{}".format(*self.address)
        self.run = configs[0].parent / "run"
        self.processes = []
        for index in started:
            fault = faults[index]
            command = [*map(str, fault), "--config", str(configs[index % len(configs)])]
            command += ["--coordinator", address, "--num-processes", "2"]
            command += ["--process-id", str(index), *arguments]
            module = "tests.train.faults" if fault else "train.main"
            environment = os.environ | {"PYTHONUNBUFFERED": "1"}
            self.processes.append(start_module(module, command, environment))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def end(self, seconds=PATIENCE):
        """Exit codes and what was said on standard error, by host."""
        said = [process.communicate(timeout=seconds)[1] for process in self.processes]
        return [process.returncode for process in self.processes], said

    def wait_for_row(self, number):
        path = self.run / "training_metrics.jsonl"
        wait_until(
            lambda: (
                (path.exists() and path.read_bytes().count(b"\n") >= number)
                or any(process.poll() is not None for process in self.processes)
            ),
            f"iteration {number}",
        )


def is_listening(address: tuple[str, int]) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(address) == 0


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The metrics of one host that nobody interrupts."""
    folder = tmp_path_factory.mktemp("alone")
    result = train(write_config(folder, **CHANGES))
    assert result.returncode == 0, result.stderr
    return metrics(folder)


def test_a_run_on_two_hosts_that_is_stopped_goes_on_on_one(tmp_path, alone):
    config = write_config(tmp_path, **CHANGES)
    # The signal comes to the host that does not write.
    with TwoHosts(config, faults=((), ("learning", "SIGTERM", 3))) as hosts:
        codes, said = hosts.end()
    assert codes == [143, 143], said
    assert said[0] == "stopped by SIGTERM on host 1; the same command goes on from here\n"
    assert said[1] == "stopped by SIGTERM; the same command goes on from here\n"
    assert_alike(metrics(tmp_path), alone[:2])
    resumed = train(config)
    assert resumed.returncode == 0, resumed.stderr
    assert_alike(metrics(tmp_path), alone)


def catches(process: int, number: int) -> bool:
    """Whether a process has a handler of its own for a signal."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("host", [0, 1])
def test_a_signal_ends_the_waiting_for_other_hosts(tmp_path, host):
    config = write_config(tmp_path, **CHANGES)
    with TwoHosts(config, started=(host,)) as hosts:
        (process,) = hosts.processes
        # Until it waits, a signal is noticed anyway.
        if host == 0:
            wait_until(lambda: is_listening(hosts.address), "host 0")
        else:
            wait_until(lambda: catches(process.pid, signal.SIGTERM), "its handlers")
            time.sleep(1)
        process.send_signal(signal.SIGTERM)
        codes, said = hosts.end(promised(20))
    assert codes == [143]
    assert said == ["stopped by SIGTERM; the same command goes on from here\n"]


@pytest.mark.slow
@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_whole_run_on_two_hosts_with_exploiters(tmp_path, finished_run, asynchronous):
    config = write_config(tmp_path, async_game_generation=asynchronous)
    with TwoHosts(config) as hosts:
        codes, said = hosts.end()
    assert codes == [0, 0], said
    assert_alike(metrics(tmp_path), metrics(finished_run(asynchronous)))


@pytest.mark.slow
def test_expert_iteration_on_two_hosts(tmp_path):
    expert: dict[str, Any] = CHANGES | {"algorithm": "expert_iteration"}
    expert["expert_config"] = {"minibatch_size": 64}
    assert train(write_config(tmp_path / "teacher", **expert)).returncode == 0
    expert["expert_config"] |= {"teacher": str(tmp_path / "teacher" / "run"), "ranking_coef": 1.0}
    for folder in ("one", "two"):
        write_config(tmp_path / folder, **expert)
    assert train(tmp_path / "one" / "config.yaml").returncode == 0
    with TwoHosts(tmp_path / "two" / "config.yaml") as hosts:
        codes, said = hosts.end()
    assert codes == [0, 0], said
    assert_alike(metrics(tmp_path / "two"), metrics(tmp_path / "one"))


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_the_loss_of_a_host_ends_the_other_and_the_run_goes_on(tmp_path, alone, lost):
    endless = CHANGES | {"total_iterations": 1000, "checkpoint_frequency": 2}
    config = write_config(tmp_path, **endless)
    with TwoHosts(config) as hosts:
        hosts.wait_for_row(3)
        hosts.processes[lost].send_signal(signal.SIGKILL)
        codes, said = hosts.end(promised(20))
    assert codes[lost] == -signal.SIGKILL
    assert codes[1 - lost] == 2
    ends = f"error: host {lost} of 2 was lost: its connection is closed\n"
    assert said[1 - lost].endswith(ends)
    if lost == 1:
        # Nothing is lost but the iteration in progress.
        assert said[0] == ends
        done = len(metrics(tmp_path))
        assert (tmp_path / "run" / "steps" / str(done)).is_dir()
    with TwoHosts(write_config(tmp_path, **(endless | {"total_iterations": 30}))) as hosts:
        codes, said = hosts.end()
    assert codes == [0, 0], said
    assert [row["iteration"] for row in metrics(tmp_path)] == list(range(1, 31))


@pytest.mark.slow
def test_a_second_host_of_the_same_number_is_refused(tmp_path):
    config = write_config(tmp_path, **(CHANGES | {"total_iterations": 1000}))
    with TwoHosts(config) as hosts:
        hosts.wait_for_row(2)
        with TwoHosts(config, started=(1,), address=hosts.address) as second:
            codes, said = second.end()
        assert codes == [2]
        assert said[0].splitlines()[-1].startswith("error: the hosts do not find each other: ")
        # JAX's service takes the first one for lost.
        codes, said = hosts.end()
    assert codes == [2, 2]
    assert all(text.splitlines()[-1].startswith("error: ") for text in said)


@pytest.mark.slow
def test_a_host_that_hangs_is_given_up(tmp_path):
    config = write_config(tmp_path, **(CHANGES | {"total_iterations": 1000}))
    with TwoHosts(config, arguments=("--host-timeout", "6")) as hosts:
        hosts.wait_for_row(2)
        hosts.processes[1].send_signal(signal.SIGSTOP)
        said = hosts.processes[0].communicate(timeout=promised(30))[1]
        hosts.processes[1].kill()
    assert hosts.processes[0].returncode == 2
    assert said == "error: host 1 of 2 was lost: it has been silent for 6 seconds\n"


@pytest.mark.slow
def test_hosts_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    config = write_config(tmp_path / "a", **CHANGES)
    other = write_config(tmp_path / "b", **(CHANGES | {"seed": 7}))
    with TwoHosts(config, other) as hosts:
        codes, said = hosts.end()
    assert codes == [2, 2]
    assert all("seed is 42 on host 0 and 7 on host 1" in text for text in said)
    few = write_config(tmp_path / "a", **(CHANGES | {"num_groups": 1}))
    with TwoHosts(few) as hosts:
        codes, said = hosts.end()
    assert codes == [2, 2]
    assert all("2 hosts cannot share 1 groups" in text for text in said)
    # What host 0 alone can see, the others are told.
    missing = write_config(tmp_path / "a", **(CHANGES | {"resume_from": str(tmp_path / "none@1")}))
    with TwoHosts(missing) as hosts:
        codes, said = hosts.end()
    assert codes == [2, 2]
    assert said[1].startswith("error: host 0 of 2 failed: resume_from ")
    assert not (tmp_path / "a" / "run").exists()
