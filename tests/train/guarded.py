"""Trains with JAX's transfer guard from the second iteration on.

    python -m tests.train.guarded TRAINING-ARGUMENTS...

Implicit transfers between host and devices are errors then. On a CPU the guard knows those to the
device alone, since nothing is transferred from it.
"""

import sys
from typing import Any

if __name__ == "__main__":
    from train.main import main
    from train.runs.metrics import MetricsWriter

    write = MetricsWriter.write

    def write_and_guard(self: MetricsWriter, row: Any) -> Any:
        import jax

        jax.config.update("jax_transfer_guard", "disallow")
        return write(self, row)

    MetricsWriter.write = write_and_guard  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
