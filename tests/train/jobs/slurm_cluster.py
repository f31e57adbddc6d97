"""A Slurm cluster of one node, this machine, in a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.waiting import PATIENCE

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
# Debian keeps the daemons where only root's PATH looks.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
START_SECONDS = 240

# Without cgroups, accounts and scripts around a job, all of which need a configured machine. A job
# that was put back into the queue begins again after cred_expire seconds, of which 5 is the least.
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class ClusterError(Exception):
    """Why the cluster cannot be had here."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """Starts the daemons when entered and ends them, with all jobs, when left."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Cluster":
        missing = [name for name in DAEMONS + COMMANDS if not shutil.which(name, path=SEARCH_PATH)]
        if missing:
            raise ClusterError(f"{missing[0]} is not installed (packages slurm-wlm and munge)")
        if os.geteuid() != 0:
            raise ClusterError("Slurm's daemons need root")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o400)
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname().partition(".")[0],
                folder=folder,
                controller_port=free_port(),
                node_port=free_port(),
                cpus=os.cpu_count(),
            )
        )
        files = [f"--{name}-file={folder}/munged.{name}" for name in ("pid", "seed", "log")]
        socket_and_key = [f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key"]
        # Forced, for it dislikes folders that others may write to, such as /tmp.
        self._daemon("munged", "--foreground", "--force", *socket_and_key, *files)
        self._wait_for("munged", lambda: (folder / "munge.socket").exists())
        self._daemon("slurmctld", "-D")
        self._daemon("slurmd", "-D")
        self._wait_for("the node", lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"))

    def _daemon(self, name: str, *arguments: str) -> None:
        path = shutil.which(name, path=SEARCH_PATH)
        assert path is not None
        with open(self.folder / f"{name}.out", "wb") as output:
            self._daemons.append(
                subprocess.Popen(
                    [path, *arguments],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            )

    def _wait_for(self, what: str, ready) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            ended = [daemon for daemon in self._daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                said = [path.read_text(errors="replace") for path in self.folder.glob("*.out")]
                last = " ".join("".join(said).split())[-300:]
                raise ClusterError(f"{what} did not start: {last or 'no reason given'}")
            time.sleep(0.2)

    def run(self, *command: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout

    def __exit__(self, *_: object) -> None:
        if len(self._daemons) == len(DAEMONS):
            self.run("scancel", "--state=PENDING", "--user=root")
            self.run("scancel", "--signal=KILL", "--full", "--user=root")
            deadline = time.monotonic() + START_SECONDS
            while self.run("squeue", "-h").strip() and time.monotonic() < deadline:
                time.sleep(0.5)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
