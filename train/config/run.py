"""Keys of the run as a whole: its name, its beginning, its device and its length."""

from pathlib import Path

from pydantic import Field, field_validator

from bb_jax.config import Device
from bb_jax.paths import expand_home
from bb_jax.strict_model import EXPECTED, MAY_CHANGE, StrictModel

# File systems take no longer name of a folder.
_MAX_NAME_BYTES = 255


class RunConfig(StrictModel):
    """The run."""

    experiment_name: str = Field(
        # A comma separates runs on command lines, and `~` begins a path.
        pattern=r"^[^.~/\\@,\s\x00-\x1f\x7f-\x9f][^/\\@,\s\x00-\x1f\x7f-\x9f]*$",
        description="Name of the run.",
        json_schema_extra={
            **MAY_CHANGE,
            EXPECTED: "the name of a folder without spaces, commas, control characters, '/' or "
            "'@', and no '.' or '~' in front",
        },
    )
    checkpoint_dir: str | None = Field(
        None,
        min_length=1,
        description="Folder of the run. `null` is `checkpoints/<experiment_name>`.",
        json_schema_extra={**MAY_CHANGE, EXPECTED: "a folder or null"},
    )
    mirror: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://.*[^/]/*$",
        description="URL of a folder, such as `s3://BUCKET/runs`. Finished checkpoints are copied "
        "to a folder of the run's name in it. An empty folder of the run is restored from there. "
        "`null` copies nothing.",
        json_schema_extra={
            **MAY_CHANGE,
            EXPECTED: "a URL such as s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or file:///FOLDER, or "
            "null",
        },
    )
    resume_from: str | None = Field(
        None,
        min_length=1,
        description="Run to start from: `RUN`, `RUN@STEP` or the file of a packed state. A run is "
        "a path or a name under `checkpoints/`. `null` starts from zero.",
        json_schema_extra={EXPECTED: "RUN, RUN@STEP, a packed state or null"},
    )
    merge_with: str | None = Field(
        None,
        min_length=1,
        description="A second run, written as in `resume_from`. Its network becomes the second "
        "tower, and policy and values begin as the mean of those of both runs.",
        json_schema_extra={EXPECTED: "RUN, RUN@STEP, a packed state or null"},
    )
    seed: int = Field(42, ge=0, le=2**63 - 1, description="Seed of every random stream.")
    device: Device = Field(
        "auto",
        description="`auto` takes the GPU where there is one. `cuda` and `gpu` fail without one.",
        json_schema_extra=MAY_CHANGE,
    )
    deterministic: bool = Field(
        False,
        description="Whether results on a GPU, too, are the same bit for bit. This is slower.",
        json_schema_extra=MAY_CHANGE,
    )
    total_iterations: int = Field(
        ge=1,
        description="Iterations at the end of the run. Those before its start are included.",
        json_schema_extra=MAY_CHANGE,
    )

    @field_validator("experiment_name")
    @classmethod
    def _check_length(cls, name: str) -> str:
        size = len(name.encode())
        if size > _MAX_NAME_BYTES:
            raise ValueError(f"must have at most {_MAX_NAME_BYTES} bytes, not {size}")
        return name

    @property
    def run_dir(self) -> Path:
        """The run's folder.

        Raises:
          FileError: `checkpoint_dir` begins with a user or a variable that cannot be resolved.
        """
        if self.checkpoint_dir is None:
            return Path("checkpoints", self.experiment_name)
        return expand_home(self.checkpoint_dir)
