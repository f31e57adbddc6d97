"""Lines of a stream that anybody may write to."""

from collections.abc import Iterator
from typing import BinaryIO


def lines_of(stream: BinaryIO, longest: int) -> Iterator[bytes]:
    """The lines of a stream without their ends.

    Args:
      stream: is read to its end, one line at a time.
      longest: bytes of a line. Of a line that is longer, `longest` + 2 bytes are given and the rest
        is read and forgotten.
    """
    while line := stream.readline(longest + 2):
        whole = line
        while whole and not whole.endswith(b"\n"):
            whole = stream.readline(longest)
        yield line.removesuffix(b"\n")
