"""The program `causalgia`."""

from __future__ import annotations

import atexit
import gc
import sys
from io import BufferedWriter, FileIO, StringIO, TextIOWrapper
from typing import Any


def main() -> None:
    """Run the command line; characters that a terminal cannot print become question
    marks, and a reader that goes away stops nothing.

    A command mostly imports modules, none of which is garbage, and then ends. Old
    objects are therefore collected a twentieth as often as Python's default, and not at
    exit.
    """
    gc.set_threshold(*gc.get_threshold()[:2], 200)
    atexit.register(gc.freeze)
    # a daemon closes them
    out, err = sys.stdout or StringIO(), sys.stderr or StringIO()
    sys.stdout, sys.stderr = patient(out), patient(err)
    try:
        from causalgia.cli.commands import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before a command begins
        print("error: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)


class _Reader(FileIO):
    """A stream whose reader may have gone away: what it no longer reads is dropped."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            return len(memoryview(data).cast("B"))


def patient(stream: Any) -> Any:
    """Return a standard stream that a closed pipe does not stop, and that prints
    question marks for characters that it lacks.

    A command goes on until its files are written, and its exit code is that of its
    work: ``causalgia show results | head`` ends with 0.
    """
    if not isinstance(stream, TextIOWrapper):
        return stream
    buffer: Any = stream.buffer  # PYTHONUNBUFFERED has none
    if type(getattr(buffer, "raw", buffer)) is not FileIO:  # a Windows console
        stream.reconfigure(errors="replace")
        return stream
    stream.flush()
    reader: Any = _Reader(stream.fileno(), "w", closefd=False)
    return TextIOWrapper(
        reader if type(buffer) is FileIO else BufferedWriter(reader),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
