"""Memory that processes share."""

import numpy as np

from tests.train.running import run_python
from train.games.shared_arrays import SharedArrays


def test_arrays_begin_as_zeros_and_do_not_overlap():
    shared = SharedArrays.create({"few": ((3,), np.uint8), "many": ((2, 5), np.int32)})
    assert not shared["few"].any() and not shared["many"].any()
    shared["few"][:] = 255
    shared["many"][:] = -1
    assert shared["few"].tolist() == [255] * 3 and (shared["many"] == -1).all()
    shared.close()


def test_who_still_reads_when_they_are_closed_reads_on():
    """A run that is stopped closes them while its games are still played in a thread."""
    # What goes wrong ends the process.
    code = """
import numpy as np
from train.games.shared_arrays import SharedArrays
shared = SharedArrays.create({"rows": ((1000, 1000), np.int64)})
rows = shared["rows"][10:]
rows[:] = 7
shared.close()
print(int(rows.sum()))
"""
    result = run_python("-c", code)
    assert (result.returncode, result.stdout) == (0, f"{7 * 990 * 1000}\n"), result.stderr
