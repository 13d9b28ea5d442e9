"""What reaches the terminal: whose line it is where parallel jobs write, and none of a library's own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO


class _Labelled(io.TextIOBase):
    """Passes whole lines on, each behind the label. It is no terminal: two live bars would overwrite each other."""

    def __init__(self, stream: TextIO, label: str):
        self._stream, self._label, self._line = stream, label, ""

    def write(self, text: str) -> int:
        *whole, self._line = (self._line + text).split("\n")
        if whole:
            self._stream.write("".join(f"{self._label}  {line}\n" for line in whole))
            self._stream.flush()
        return len(text)

    def end(self) -> None:
        """Pass on a last line that has no end."""
        if self._line:
            self.write("\n")


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Every line that is printed meanwhile begins with the label; an empty one changes nothing."""
    if not label:
        yield
        return
    out, error = _Labelled(sys.stdout, label), _Labelled(sys.stderr, label)
    with ExitStack() as stack:
        stack.callback(error.end)
        stack.callback(out.end)
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(error))
        yield


def quiet_transformers() -> None:
    """Transformers' own bars and advice off: our progress says what happens."""
    import transformers

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
