"""The identity of a process, to tell later whether it still runs.

Process numbers are used again, soon after a reboot in particular. So an identity also holds the
time at which the process started, in clock ticks since the boot, and the kernel's identifier of
that boot. Both come from Linux's /proc (see proc(5)).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
# Positions in /proc/PID/stat after the command's name, which may hold spaces.
_STATE, _START_TIME = 0, 19
# A zombie has ended, but nobody has read its exit code.
_ENDED = ("Z", "X", "x")


def boot_id() -> str:
    """The identifier of this boot of the machine; empty if the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _state_and_start(pid: int) -> tuple[str, int] | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return fields[_STATE], int(fields[_START_TIME])


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, distinct from all others that have its number at another time.

    Attributes:
      pid: the process number.
      started: when the process started, in clock ticks since the boot.
      boot: the identifier of the boot.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that has this number now, or None."""
        found = _state_and_start(pid)
        return None if found is None else cls(pid, found[1], boot_id())

    def alive(self) -> bool:
        """Whether the process still runs."""
        found = _state_and_start(self.pid)
        if found is None or found[0] in _ENDED:
            return False
        return found[1] == self.started and boot_id() == self.boot

    def signal(self, number: int) -> bool:
        """Sends the process a signal. False if it has ended."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def process_with_open_file(pid: int, path: Path) -> ProcessIdentity | None:
    """The process with this number if it has the file open, else None."""
    try:
        target = path.resolve()
        links = [link.readlink() for link in (_PROC / str(pid) / "fd").iterdir()]
    except OSError:
        return None
    return ProcessIdentity.of(pid) if target in links else None
