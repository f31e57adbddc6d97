"""A SkyPilot that rents nothing, and buckets that are folders, for the tests of jobs."""

import json
import os
import stat
from pathlib import Path

SKY = """
echo "$*" >> "$FAKE_SKY/told"
case "$1 $2" in
"jobs launch")
    if [ -e "$FAKE_SKY/refusal" ]; then cat "$FAKE_SKY/refusal" >&2; exit 1; fi
    printf '%s\\n' "$@" > "$FAKE_SKY/launch.arguments"
    echo "submitted"
    ;;
"jobs queue")
    if [ -e "$FAKE_SKY/queue" ]; then cat "$FAKE_SKY/queue"; exit 0; fi
    echo "sky.exceptions.ApiServerConnectionError: no answer" >&2
    exit 1
    ;;
"jobs cancel") rm -f "$FAKE_SKY/queue"; cp "$FAKE_SKY/cancelled" "$FAKE_SKY/queue" ;;
"jobs logs") cat "$FAKE_SKY/log" ;;
esac
"""

BUCKETS = '''
"""s3:// as folders."""
import os
from fsspec.implementations.local import LocalFileSystem


class FolderBuckets(LocalFileSystem):
    protocol = "s3"

    def __init__(self, **options):
        super().__init__(auto_mkdir=True, **options)

    @classmethod
    def _strip_protocol(cls, path):
        path = str(path)
        if path.startswith("s3://"):
            path = os.environ["FAKE_BUCKETS"] + "/" + path.removeprefix("s3://")
        return path.rstrip("/")
'''


class FakeSky:
    """The command `sky` as a script; files in `folder` say what it answers and was told."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.buckets = folder / "buckets"
        self.commands = folder / "commands"
        self.commands.mkdir(parents=True)
        path = self.commands / "sky"
        path.write_text("#!/bin/sh\n" + SKY)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        # An installed library that brings the kind of URL.
        library = folder / "library"
        entry = library / "fake_buckets-1.dist-info"
        entry.mkdir(parents=True)
        (library / "fake_buckets.py").write_text(BUCKETS)
        (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-buckets\nVersion: 1\n")
        (entry / "entry_points.txt").write_text("[fsspec.specs]\ns3 = fake_buckets:FolderBuckets\n")
        self.library = library

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}",
            "FAKE_SKY": str(self.folder),
            "FAKE_BUCKETS": str(self.buckets),
        }

    @property
    def name(self) -> str:
        """The name of the job that was submitted last."""
        return self.option("--name")

    def option(self, name: str) -> str:
        (found,) = [
            word.partition("=")[2] for word in self.arguments() if word.startswith(f"{name}=")
        ]
        return found

    def arguments(self) -> list[str]:
        """The arguments of the last submission."""
        return (self.folder / "launch.arguments").read_text().splitlines()

    def variables(self) -> dict[str, str]:
        """The variables that it set."""
        words = self.arguments()
        given = [words[n + 1] for n, word in enumerate(words) if word == "--env"]
        return dict(value.split("=", 1) for value in given)

    def say(self, status: str, **values: object) -> None:
        job = {"job_id": 7, "job_name": self.name, "status": status, **values}
        other = {"job_id": 6, "job_name": "another", "status": "FAILED"}
        partial = self.folder / "queue.partial"
        partial.write_text("a warning\n" + json.dumps([other, job]))
        partial.rename(self.folder / "queue")
        cancelled = [other, job | {"status": "CANCELLED"}]
        (self.folder / "cancelled").write_text(json.dumps(cancelled))

    def told(self) -> str:
        path = self.folder / "told"
        return path.read_text() if path.exists() else ""
