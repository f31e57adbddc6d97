"""Steps are copied beside the training, which a bad storage neither delays nor ends."""

import itertools
import random
import shutil
import signal
import threading
import time

import pytest

from tests.train.mirror.conftest import content_of, save_step
from tests.train.mirror.faulty_storage import FaultyFileSystem, new_url
from tests.waiting import promised, wait_until
from train.interrupt import StopSignals
from train.mirror import copier as copier_module
from train.mirror.copier import Copier, copying
from train.mirror.mirror import Mirror
from train.mirror.restoring import restore_newer
from train.mirror.storage import MirrorError, Storage

PATIENCE = 120.0


@pytest.fixture
def url():
    return new_url()


@pytest.fixture
def said():
    return []


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("_POLL_SECONDS", "_FIRST_RETRY_SECONDS", "_LAST_RETRY_SECONDS"):
        monkeypatch.setattr(copier_module, name, 0.02)


def a_mirror(url):
    return Mirror(Storage(url, "small"))


def close(copier, seconds=PATIENCE):
    return copier.close(seconds, while_progress=True)


def wait_for(url, step):
    wait_until(lambda: step in a_mirror(url).steps(), f"step {step} in the mirror")


def restored(url, folder):
    folder.mkdir()
    return a_mirror(url).restore(folder, pytest.fail), content_of(folder)


def test_steps_are_copied_as_they_are_finished(url, run, said, tmp_path):
    copier = Copier(a_mirror(url), run, said.append)
    for step in (50, 100):
        save_step(run, step)
        wait_for(url, step)
    (run / "final_evaluation.json").write_text("{}")
    assert close(copier)
    assert said == []
    assert restored(url, tmp_path / "new") == ([50, 100], content_of(run))


def test_the_mirror_keeps_the_steps_that_the_folder_keeps(url, run, said):
    copier = Copier(a_mirror(url), run, said.append)
    for step in (50, 100, 150):
        save_step(run, step)
        wait_for(url, step)
        shutil.rmtree(run / "steps" / str(step - 50), ignore_errors=True)
    assert close(copier)
    assert a_mirror(url).steps() == [150]


def test_a_failure_is_told_once_and_tried_again(url, run, said):
    broken, attempts = threading.Event(), itertools.count()
    broken.set()

    def fail(operation, path):
        if broken.is_set() and operation == "write":
            next(attempts)
            raise OSError("the line is down")

    FaultyFileSystem.fault = staticmethod(fail)
    copier = Copier(a_mirror(url), run, said.append)
    save_step(run, 50)
    wait_until(lambda: next(attempts) > 20, "attempts")
    assert len(said) == 1
    assert said[0].endswith("the line is down; the training goes on, and copying is tried again")
    broken.clear()
    assert close(copier)
    assert said[1:] == [f"the mirror {url}/small can be reached again"]
    assert a_mirror(url).steps() == [50]


def test_any_operation_may_fail_or_be_cut_short(url, run, said, tmp_path):
    chance = random.Random(3)

    def fail(operation, path):
        if chance.random() > 0.15:
            return None
        if operation in ("read", "write") and chance.random() < 0.5:
            return 0.3
        raise OSError("the line is down")

    FaultyFileSystem.fault = staticmethod(fail)
    copier = Copier(a_mirror(url), run, said.append)
    for step in range(1, 6):
        save_step(run, step)
        time.sleep(0.02)
    # Nobody else looks, so that the chances are the same each time.
    wait_until(lambda: copier._put == 5 and copier._tidy, "all steps")
    FaultyFileSystem.fault = staticmethod(lambda operation, path: None)
    assert close(copier)
    assert restored(url, tmp_path / "new") == (list(range(1, 6)), content_of(run))


def test_a_storage_that_never_answers_does_not_keep_the_training(url, run, said):
    answer = threading.Event()

    def stall(operation, path):
        if operation == "write":
            answer.wait(PATIENCE)

    FaultyFileSystem.fault = staticmethod(stall)
    copier = Copier(a_mirror(url), run, said.append)
    save_step(run, 50)
    began = time.monotonic()
    assert not close(copier, seconds=0.5)
    assert time.monotonic() - began < promised(2)
    answer.set()
    assert said == [
        f"the mirror {url}/small lacks the newest checkpoint; the same command copies it"
    ]


def test_the_end_waits_as_long_as_something_is_copied(url, run, said):
    save_step(run, 50)
    FaultyFileSystem.fault = staticmethod(lambda operation, path: time.sleep(0.1))
    began = time.monotonic()
    # In all it takes far longer than the wait without progress.
    assert close(Copier(a_mirror(url), run, said.append), seconds=1.5)
    assert time.monotonic() - began > 1.5
    assert a_mirror(url).steps() == [50]


def test_a_step_that_the_training_removes_meanwhile_is_copied_to_its_end(url, run, said, tmp_path):
    save_step(run, 50)
    before = content_of(run)
    held = threading.Event()

    def remove(operation, path):
        if operation == "write" and "objects" in path and not held.is_set():
            held.set()
            shutil.rmtree(run / "steps" / "50")
            (run / "policies" / "000050.policy").unlink()
            (run / "training_metrics.jsonl").write_text("something else")

    FaultyFileSystem.fault = staticmethod(remove)
    copier = Copier(a_mirror(url), run, said.append)
    wait_until(lambda: a_mirror(url).steps() == [50], "the step")
    assert held.is_set()
    close(copier)
    assert restored(url, tmp_path / "new") == ([50], before)


def test_going_back_to_a_step_removes_the_later_ones_there(url, run, said, tmp_path):
    copier = Copier(a_mirror(url), run, said.append)
    for step in (50, 100):
        save_step(run, step)
    assert close(copier)
    shutil.rmtree(run / "steps" / "100")
    assert close(Copier(a_mirror(url), run, said.append, from_step=50))
    assert a_mirror(url).steps() == [50]


def test_a_start_elsewhere_ends_the_copying_with_a_sentence(url, run, said):
    copier = Copier(a_mirror(url), run, said.append)
    save_step(run, 50)
    wait_until(lambda: a_mirror(url).steps() == [50], "the step")
    later = a_mirror(url)
    later.claim(run)
    save_step(run, 100)
    wait_until(lambda: said, "a sentence")
    assert not close(copier)
    assert said[0].startswith("another start of the run copies to the mirror")
    assert later.steps() == [50]


def test_a_request_to_stop_reaches_the_training_as_a_signal(url, run, said, monkeypatch):
    monkeypatch.setattr(copier_module, "_REQUEST_SECONDS", 0.02)
    received = []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        copier = Copier(a_mirror(url), run, said.append)
        wait_until(lambda: copier._claimed, "the claim")
        a_mirror(url).request_stop()
        wait_until(lambda: received, "the signal")
        close(copier)
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == [signal.SIGINT]


def test_nothing_is_copied_after_the_last_step(url, run, said, monkeypatch):
    copier = Copier(a_mirror(url), run, said.append)
    save_step(run, 50)
    wait = copier._idle.wait

    def wake_late(seconds):
        idle = wait(seconds)
        if idle:
            save_step(run, 100)
            time.sleep(0.3)
        return idle

    monkeypatch.setattr(copier._idle, "wait", wake_late)
    assert close(copier)
    assert a_mirror(url).steps() == [50]


def test_an_error_of_the_training_comes_through(url, run, said):
    save_step(run, 50)
    with (
        pytest.raises(ZeroDivisionError),
        copying(a_mirror(url), run, said.append, from_step=None, stop=StopSignals()),
    ):
        raise ZeroDivisionError
    assert a_mirror(url).steps() == [50]


def test_a_folder_behind_its_mirror_is_brought_up_to_it(url, run, said, tmp_path):
    save_step(run, 50)
    assert close(Copier(a_mirror(url), run, said.append))
    behind = tmp_path / "behind"
    shutil.copytree(run, behind)
    save_step(run, 100)
    assert close(Copier(a_mirror(url), run, said.append))
    # Told to go on from a step that it has, it keeps what it has.
    restore_newer(a_mirror(url), behind, 50, said.append)
    assert not (behind / "steps" / "100").exists()
    restore_newer(a_mirror(url), behind, None, said.append)
    assert content_of(behind) == content_of(run)
    assert said == [f"restored from the mirror {url}/small: checkpoints 50, 100"]


def test_a_mirror_that_cannot_be_asked_stops_a_run_without_steps_alone(
    url, run, said, tmp_path, monkeypatch
):
    def fail(operation, path):
        raise OSError("the line is down")

    monkeypatch.setattr("train.mirror.restoring._RETRY_SECONDS", (0.01, 0.01))
    FaultyFileSystem.fault = staticmethod(fail)
    with pytest.raises(MirrorError, match="the line is down"):
        restore_newer(a_mirror(url), run, None, said.append)
    assert [sentence.partition("; ")[2] for sentence in said] == 2 * [
        "trying again in 0.01 seconds"
    ]
    said.clear()
    save_step(run, 50)
    restore_newer(a_mirror(url), run, None, said.append)
    assert len(said) == 1
    assert said[0].endswith("the line is down; the run goes on from its folder")
