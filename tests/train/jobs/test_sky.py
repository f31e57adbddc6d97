"""Jobs on rented machines, against a script in the place of SkyPilot's command."""

import os
import shlex
import threading
from pathlib import Path

import pytest

from tests.train.jobs.fake_sky import FakeSky
from tests.train.jobs.job_fakes import Jobs, record_of
from tests.train.jobs.test_jobs import refused
from tests.train.mirror.conftest import save_step
from tests.train.running import REPOSITORY
from tests.waiting import wait_until
from train.jobs.record import JobError
from train.jobs.sky import ask, new_name
from train.jobs.status import State, job_status
from train.mirror.mirror import Mirror
from train.mirror.snapshot import held_step
from train.mirror.storage import Storage

CONFIG = REPOSITORY / "configs" / "quickstart.yaml"
MIRROR = "s3://bucket/runs"


@pytest.fixture
def sky(tmp_path, monkeypatch):
    sky = FakeSky(tmp_path / "sky")
    for name, value in sky.environment().items():
        monkeypatch.setenv(name, value)
    return sky


@pytest.fixture
def jobs(tmp_path, sky):
    jobs = Jobs(tmp_path / "job")
    path = os.pathsep.join([str(sky.library), jobs.environment["PYTHONPATH"]])
    jobs.environment |= {"PYTHONPATH": path}
    return jobs


def submit(jobs, *options, mirror=MIRROR, config=CONFIG):
    given = ["--set", f"checkpoint_dir={jobs.run}", "--set", f"mirror={mirror}"]
    return jobs("start", "--config", config, *given, "--backend", "sky", *options)


def mirror_of(sky) -> Mirror:
    return Mirror(Storage((sky.buckets / "bucket" / "runs" / "quickstart").as_uri()))


def trained_elsewhere(sky, folder: Path, *steps: int) -> Mirror:
    """Leaves in the bucket what a training on a rented machine leaves there."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text('{"total_iterations": 1000}')
    mirror = mirror_of(sky)
    mirror.claim(folder)
    for step in steps:
        save_step(folder, step)
        row = f'{{"iteration": {step}, "time/seconds": 60.0, "train/entropy": 1.25}}\n'
        (folder / "training_metrics.jsonl").write_text(row)
        with held_step(folder, step) as files:
            mirror.put(step, files)
    return mirror


def test_a_job_is_submitted_with_its_configuration_and_its_bucket(jobs, sky):
    done = submit(jobs, "--set", "seed=7", "--sky", "gpus=A100:1", "--sky=--infra=aws")
    assert (done.returncode, done.stderr) == (0, "")
    assert sky.name in done.stdout
    assert "its mirror is s3://bucket/runs/quickstart" in done.stdout
    arguments = sky.arguments()
    assert arguments[:2] == ["jobs", "launch"]
    assert Path(arguments[2]).samefile(REPOSITORY / "cloud" / "sky.yaml")
    assert {"--detach-run", "--yes", "--gpus=A100:1", "--infra=aws"} <= set(arguments)
    variables = sky.variables()
    overrides = shlex.split(variables.pop("OVERRIDES"))
    assert variables == {
        "CONFIG": "configs/quickstart.yaml",
        "MIRROR": MIRROR,
        "BUCKET": "bucket",
        "STORE": "s3",
    }
    assert "seed=7" in overrides
    # On the machine's own disk, not in a folder that this machine has.
    assert overrides[-2:] == ["--set", "checkpoint_dir=null"]
    sky.say("PENDING")
    assert refused(submit(jobs), "is queued already")


@pytest.mark.parametrize(
    ("status", "values", "state", "detail"),
    [
        ("PENDING", {}, State.QUEUED, "waits"),
        ("STARTING", {}, State.STARTING, "looks for a machine"),
        ("RUNNING", {"infra": "AWS (us-east-1a)"}, State.RUNNING, "on AWS (us-east-1a)"),
        (
            "RECOVERING",
            {"recovery_count": 2, "infra": "-", "cloud": "GCP", "region": "us-west1"},
            State.STARTING,
            "on GCP us-west1 looks for another machine, replaced 2 times",
        ),
        ("SUCCEEDED", {"recovery_count": 1}, State.FINISHED, "replaced once"),
        ("CANCELLED", {}, State.STOPPED, ""),
        ("FAILED", {"failure_reason": "exit\n code 2"}, State.FAILED, "FAILED: exit code 2"),
        ("FAILED_NO_RESOURCE", {}, State.FAILED, "FAILED_NO_RESOURCE"),
    ],
)
def test_what_sky_says_of_a_job_is_its_state(jobs, sky, status, values, state, detail):
    submit(jobs)
    sky.say(status, **values)
    found = job_status(jobs.run)
    assert found.state is state
    assert found.detail.startswith(f"sky job {sky.name}")
    assert detail in found.detail


def test_a_job_that_sky_does_not_tell_of_is_unknown_and_one_that_is_gone_has_died(jobs, sky):
    submit(jobs)
    assert job_status(jobs.run).state is State.UNKNOWN
    assert "no answer" in job_status(jobs.run).detail
    assert refused(submit(jobs), "may run already")
    (sky.folder / "queue").write_text("[]")
    assert job_status(jobs.run).state is State.DIED
    (sky.folder / "queue").write_text("[")
    assert "which is no queue" in job_status(jobs.run).detail


def test_view_and_status_show_the_metrics_of_the_mirror_and_the_log_of_the_machine(
    jobs, sky, tmp_path
):
    submit(jobs)
    sky.say("RUNNING")
    (sky.folder / "log").write_text("".join(f"iteration {n}/1000\n" for n in range(90, 111)))
    assert "There are no metrics yet." in jobs("view", jobs.run).stdout
    trained_elsewhere(sky, tmp_path / "elsewhere", 50, 100)
    shown = jobs("view", jobs.run, "--lines", "3")
    assert shown.stderr == ""
    assert "Metrics of iteration 100:" in shown.stdout
    assert shown.stdout.endswith("iteration 108/1000\niteration 109/1000\niteration 110/1000\n")
    assert f"jobs logs --name={sky.name} --no-follow --tail=3" in sky.told()
    assert "100/1000" in jobs("status", jobs.run).stdout
    sky.say("SUCCEEDED")
    followed = jobs("view", jobs.run, "--follow").stdout
    assert followed.endswith(f"run: finished (sky job {sky.name})\n")
    # The checkpoints themselves come by `train.mirror restore`.
    assert not (jobs.run / "steps").exists()


def test_a_mirror_that_cannot_be_reached_from_here_only_lets_metrics_be_old(jobs, sky):
    submit(jobs)
    sky.say("RUNNING")
    sky.buckets.write_text("no folder")
    shown = jobs("status", jobs.run)
    assert shown.returncode == 0
    assert "so the metrics shown may be old" in shown.stderr
    assert "running" in shown.stdout


def test_stop_asks_the_training_by_the_bucket_and_waits(jobs, sky, tmp_path):
    submit(jobs)
    sky.say("RUNNING")
    mirror = trained_elsewhere(sky, tmp_path / "elsewhere", 50)

    def machine():
        wait_until(mirror.take_request, "the request")
        sky.say("SUCCEEDED")

    threading.Thread(target=machine, daemon=True).start()
    done = jobs("stop", jobs.run)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "run is stopped with checkpoint 50\n"
    assert "jobs cancel" not in sky.told()
    assert job_status(jobs.run).state is State.STOPPED
    assert refused(jobs("stop", jobs.run), "does not run: it is stopped")


def test_stop_says_how_to_end_a_job_that_does_not_stop(jobs, sky):
    submit(jobs)
    sky.say("RUNNING")
    done = jobs("stop", jobs.run, "--timeout", "0.1")
    assert refused(done, "still runs after 0.1 seconds", f"sky jobs cancel -n {sky.name}")


def test_stop_cancels_a_job_that_has_no_machine(jobs, sky):
    submit(jobs)
    sky.say("PENDING")
    done = jobs("stop", jobs.run)
    assert done.stdout == "run is stopped before its first checkpoint\n"
    assert f"jobs cancel --name={sky.name} --yes" in sky.told()


def test_stop_cancels_a_job_whose_mirror_cannot_be_reached_from_here(jobs, sky):
    submit(jobs)
    sky.say("RUNNING")
    sky.buckets.write_text("no folder")
    done = jobs("stop", jobs.run)
    assert done.returncode == 0
    assert "so the job is cancelled: it has what was copied to its mirror" in done.stdout
    assert f"jobs cancel --name={sky.name} --yes" in sky.told()


def test_resume_submits_the_same_job_anew_and_goes_back_in_the_mirror(jobs, sky, tmp_path):
    submit(jobs, "--sky", "gpus=L4:1")
    first = sky.name
    sky.say("SUCCEEDED")
    assert refused(jobs("resume", jobs.run), "has no checkpoint to resume from")
    trained_elsewhere(sky, tmp_path / "elsewhere", 50, 100, 150)
    assert refused(jobs("resume", jobs.run, "--step", "70"), "there are 50, 100, 150")
    done = jobs("resume", jobs.run, "--step", "100", "--set", "seed=9", "--sky", "infra=gcp")
    assert (done.returncode, done.stderr) == (0, "")
    assert mirror_of(sky).steps() == [50, 100]
    assert {"--gpus=L4:1", "--infra=gcp"} <= set(sky.arguments())
    assert "seed=9" in shlex.split(sky.variables()["OVERRIDES"])
    # Replaced, the machine begins with the newest checkpoint, not again with that one.
    assert "--resume" not in sky.variables()["OVERRIDES"]
    assert record_of(jobs.run).sky_job == sky.name
    assert first.startswith("quickstart-")


def test_a_refusal_is_told_and_leaves_no_job(jobs, sky):
    (sky.folder / "refusal").write_text("looking\nNo cloud is enabled.\n\n")
    done = submit(jobs)
    assert done.returncode == 2
    assert "sky refuses the job: No cloud is enabled.; see" in done.stderr
    assert job_status(jobs.run).state is State.FAILED
    (sky.folder / "refusal").unlink()
    assert submit(jobs).returncode == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mirror": "null"}, "a rented machine needs a mirror, since its disk goes with it"),
        ({"mirror": "file:///disk/runs"}, "needs a mirror in a bucket (s3://, gs://, gcs://)"),
        ({"config": "elsewhere"}, "lies elsewhere; copy it to"),
    ],
)
def test_what_no_machine_could_train_is_refused(jobs, sky, changes, words):
    if "config" in changes:
        changes = {"config": jobs.config}
    done = submit(jobs, **changes)
    assert done.returncode == 2
    assert words in done.stderr
    assert sky.told() == ""


def test_checkpoints_that_are_here_alone_are_not_left_behind(jobs, sky):
    jobs.run.mkdir()
    save_step(jobs.run, 50)
    done = submit(jobs)
    assert refused(done, "checkpoint 50 of", "`python -m train.mirror copy ")
    command = shlex.split(done.stderr.partition("`python -m ")[2].partition("`")[0])
    assert command[-1] == "s3://bucket/runs/quickstart"


def test_without_sky_the_sentence_says_so(jobs, sky):
    jobs.environment["PATH"] = "/nowhere"
    assert "`sky` is not on this machine" in submit(jobs).stderr


@pytest.mark.parametrize("experiment", ["a", "Ä_ö", "x" * 100, "iter600_to_1000", "-"])
def test_a_jobs_name_is_one_that_sky_takes(experiment):
    name = new_name(experiment)
    assert len(name) < 48
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert name[0] != "-"


def test_an_option_of_another_backend_is_refused(jobs):
    done = jobs("start", "--config", CONFIG, "--sky", "gpus=L4:1")
    assert refused(done, "--sky needs --backend sky")


def test_the_task_is_one_that_skypilot_takes():
    sky = pytest.importorskip("sky", reason="SkyPilot is not installed")
    task = sky.Task.from_yaml(str(REPOSITORY / "cloud" / "sky.yaml"))
    assert task.workdir == "."
    for resources in task.resources:
        assert resources.use_spot
        assert resources.max_hourly_cost > 0
        assert resources.job_recovery["recover_on_exit_codes"] == [143]
    (bucket,) = task.storage_mounts.values()
    assert bucket.name == task.envs["BUCKET"]
    assert set(task.envs) == {"CONFIG", "OVERRIDES", "STORE", "BUCKET", "MIRROR"}


def test_a_damaged_answer_is_an_error_in_a_sentence(jobs, sky):
    submit(jobs)
    (sky.folder / "queue").write_text('{"not": "a list"}')
    with pytest.raises(JobError, match="which is no queue"):
        ask(sky.name)
