"""One `coqtop` in a sandbox, warm: it has loaded its libraries, takes proofs, and forgets each when it is judged."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from src.checking.base import ASSUMPTIONS, DIED, ILL_FORMED, MEMORY, NO_PROOF, OUTPUT, REFUSED, CheckVerdict
from src.checking.vernacular import proof_body, refusal_of_formula, refusal_of_proof
from src.core.errors import UserError
from src.core.processes import end_group

MAX_OUTPUT = 1 << 20
PATIENCE = 120  # times the processor time that a script may take: how long it may last on a starved machine
START_SECONDS = 30.0
LOOK_SECONDS = 0.1  # from one look at the processor time to the next
CLOSED = "Closed under the global context"
SAID_CHARS = 160
TIMEOUT = "timeout"
# No goals between the steps, no lines that break, and no files that one proof leaves for the next.
SETTINGS = ("Set Silent.", "Set Printing Width 10000.", "Unset Lia Cache.", "Unset Nia Cache.")
TOLD = ("No object of basename {}", "reference {} was not found")  # of an unknown name: on either stream
ANSWER = re.compile(rb"No object of basename|Toplevel input, characters")  # how what is said of it begins
_ERROR = re.compile(r"^Error:\s*(.*(?:\n(?!\s*\n|\w+ < ).*)*)", re.MULTILINE)
_PROMPT = re.compile(r"^\w+ < ", re.MULTILINE)


class ToplevelStopped(Exception):  # noqa: N818  it is not a mistake
    """The toplevel was ended: it took too long, wrote too much, or died. `seen`: the errors that it had told."""

    def __init__(self, how: str, seen: str):
        super().__init__(how)
        self.how, self.seen = how, seen


@dataclass(frozen=True)
class Reply:
    """What one script was answered: standard output, where results stand, and standard error, where errors do."""

    output: str
    errors: str

    @property
    def first_error(self) -> str | None:
        found = _ERROR.search(self.errors)
        return " ".join(found[1].split())[:SAID_CHARS] if found else None


class Toplevel:
    """Judges proofs one at a time, and starts again after it was killed. Not for several threads at once.

    command: starts coqtop, in its sandbox; preamble: sentences said once; seconds: of processor time, for one proof;
    recycle: judged proofs after which the process is replaced, for it remembers a little of each.
    """

    def __init__(self, command: Sequence[str], preamble: Sequence[str], seconds: float, recycle: int = 2_000):
        self.command, self.seconds, self.recycle = list(command), seconds, recycle
        self.preamble = [*preamble, *SETTINGS]
        self._process: subprocess.Popen[bytes] | None = None
        self._judged = 0

    def state(self, formula: str) -> CheckVerdict:
        """Whether the formula can be stated, and claims something: `Z` is a type that has members, and no claim."""
        if refusal := refusal_of_formula(formula):
            return CheckVerdict("error", f"{ILL_FORMED}: {refusal}")
        name = _fresh_name()
        try:
            (reply,) = self._in_turn([f"Check (({formula}) : Prop).", _statement(name, formula)])
        except ToplevelStopped as stopped:
            return _ended(stopped)
        if error := reply.first_error:
            return _judged(error, ILL_FORMED)
        return CheckVerdict("proved")

    def prove(self, formula: str, proof: str) -> CheckVerdict:
        """Whether the proof proves the formula, the kernel says; what stands behind it is for `assumptions` to see."""
        if refusal := refusal_of_formula(formula):
            return CheckVerdict("error", f"{ILL_FORMED}: {refusal}")
        body = proof_body(proof)
        if refusal := refusal_of_proof(body):
            return CheckVerdict("error", f"{REFUSED}: {refusal}")
        name = _fresh_name()
        try:
            stated, proved, known = self._in_turn(
                [_statement(name, formula)], ["Proof.", body, "Qed."], [f"Check {name}."]
            )
        except ToplevelStopped as stopped:
            return _ended(stopped)
        if error := stated.first_error:
            return _judged(error, ILL_FORMED)
        if error := proved.first_error:
            return _judged(error, NO_PROOF)
        return (
            CheckVerdict("error", NO_PROOF) if known.first_error or name not in known.output else CheckVerdict("proved")
        )

    def assumptions(self, proved: Sequence[tuple[str, str]]) -> list[CheckVerdict]:
        """Of proofs that `prove` accepted, (formula, proof) each: those that no axiom stands behind stay "proved".

        Looking costs most of a second whatever is looked at: so all are stated again, and looked at together; only
        where something is found one by one.
        """
        if not proved:
            return []
        names = [_fresh_name() for _ in proved]
        script = [
            sentence
            for name, (formula, proof) in zip(names, proved, strict=True)
            for sentence in (_statement(name, formula), "Proof.", proof_body(proof), "Qed.")
        ]
        whole = _fresh_name()
        together = names[0]
        for name in names[1:]:
            together = f"(conj {together} {name})"
        look = [f"Definition {whole} := {together}.", f"Print Assumptions {whole}."]
        try:
            said, found = self._in_turn(script, look, proofs=len(proved))
        except ToplevelStopped as stopped:
            said, found = None, Reply("", stopped.seen)
        if said and not said.first_error and not found.first_error and found.output.count(CLOSED) == 1:
            return [CheckVerdict("proved")] * len(proved)
        if len(proved) == 1:
            told = " ".join(found.output.split())[:SAID_CHARS] or found.first_error or "not seen"
            return [CheckVerdict("error", f"{ASSUMPTIONS}: {told}")]
        return [verdict for one in proved for verdict in self.assumptions([one])]

    def _in_turn(self, *scripts: Sequence[str], proofs: int = 1) -> list[Reply]:
        """The replies to several scripts, of which all but the first go on where the one before ended. A process that
        dies over them is given one more chance: somebody else may have killed it. Raises ToplevelStopped."""
        try:
            return self._replies(scripts, proofs)
        except ToplevelStopped as stopped:
            if stopped.how != DIED:
                raise
        return self._replies(scripts, proofs)

    def _replies(self, scripts: Sequence[Sequence[str]], proofs: int) -> list[Reply]:
        return [self._ask(script, self.seconds * proofs, fresh=number == 0) for number, script in enumerate(scripts)]

    def _ask(self, script: Sequence[str], seconds: float, fresh: bool = True) -> Reply:
        """Say the sentences, and read until both streams have come to a word that nobody could have written before.

        fresh: forget first all that was said after the preamble. Raises ToplevelStopped.
        """
        if fresh and (self._judged >= self.recycle or (self._process and self._process.poll() is not None)):
            self.close()  # it has grown old, or somebody killed it while it had nothing to do
        if self._process is None:
            self._start()
        self._judged += fresh
        return self._say([*([f"BackTo {len(self.preamble) + 1}."] if fresh else []), *script], seconds)

    def _start(self) -> None:
        self._judged = 0
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "OCAMLFIND_CONF": "/dev/null", "LANG": "C.UTF-8"},
            start_new_session=True,  # so that it dies with its children, and Ctrl-C reaches none of them
        )
        try:
            reply = self._say(self.preamble, START_SECONDS)
            problem = reply.first_error
        except ToplevelStopped as stopped:
            problem = f"{stopped.how} {stopped.seen}".strip()
        if problem:
            self.close()
            raise UserError(f"The checker did not start: {problem}", f"Try it by hand: {' '.join(self.command)}")

    def _say(self, sentences: Sequence[str], seconds: float) -> Reply:
        process, mark = self._process, f"mark_{secrets.token_hex(12)}"
        assert process is not None and process.stdin is not None
        # `Locate` says on standard output that there is no such name, `Check` on standard error.
        text = "\n".join([*sentences, f"Locate {mark}.", f"Check {mark}.", ""])
        reader = _Reader(process, mark)
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(text.encode("ascii"))
                process.stdin.flush()
            how = reader.read(seconds)
        except BaseException:  # an interrupt: what is left in the pipes belongs to no later script
            self.close()
            raise
        errors = reader.text(process.stderr)
        if how:
            self.close()
            raise ToplevelStopped(how, errors)
        return Reply(reader.text(process.stdout), errors)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            end_group(process)


class _Reader:
    """Reads both streams of a process up to where each tells that a mark is unknown."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str):
        assert process.stdout is not None and process.stderr is not None
        self.pid = process.pid
        streams = (process.stdout.fileno(), process.stderr.fileno())
        self.told = {stream: told.format(mark).encode() for stream, told in zip(streams, TOLD, strict=True)}
        self.found = {stream: bytearray() for stream in streams}

    def read(self, seconds: float) -> str | None:
        """None when both marks were met, else how it ended: TIMEOUT, OUTPUT or DIED."""
        began, deadline = processor_seconds(self.pid), time.monotonic() + PATIENCE * seconds
        with selectors.DefaultSelector() as selector:
            for stream in self.found:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(LOOK_SECONDS)
                if not ready and (processor_seconds(self.pid) - began > seconds or time.monotonic() > deadline):
                    return TIMEOUT
                for key, _ in ready:
                    found, piece = self.found[key.fd], os.read(key.fd, 1 << 16)
                    found += piece
                    if not piece:
                        return DIED
                    if len(found) > MAX_OUTPUT:
                        return OUTPUT
                    if self.told[key.fd] in found:
                        selector.unregister(key.fd)
        return None

    def text(self, stream: IO[bytes] | None) -> str:
        """What came before the answer about the mark, without prompts."""
        assert stream is not None
        found = bytes(self.found[stream.fileno()])
        before, met, _ = found.partition(self.told[stream.fileno()])
        if met:
            before = before[: [answer.start() for answer in ANSWER.finditer(before + met)][-1]]
        return _PROMPT.sub("", before.decode("utf-8", "replace"))


def _fresh_name() -> str:
    """A name that no proof written before can hold."""
    return f"goal_{secrets.token_hex(12)}"


def _statement(name: str, formula: str) -> str:
    """In brackets, which `refusal_of_formula` says that it cannot leave: `T with Z : U` would state a second theorem,
    by a name that later statements use."""
    return f"Theorem {name} : ({formula})."


def _judged(error: str, what: str) -> CheckVerdict:
    if error.startswith(("Out of memory", "Stack overflow")):
        return CheckVerdict("error", f"{MEMORY}: {error}")
    return CheckVerdict("error", f"{what}: {error}")


def _ended(stopped: ToplevelStopped) -> CheckVerdict:
    """An error that it told before it was ended counts: what follows a failed step means nothing."""
    if told := Reply("", stopped.seen).first_error:
        return _judged(told, NO_PROOF)
    if re.search(r"out of memory", stopped.seen, re.IGNORECASE):
        return CheckVerdict("error", MEMORY)
    return CheckVerdict("timeout") if stopped.how == TIMEOUT else CheckVerdict("error", stopped.how)


def processor_seconds(pid: int) -> float:
    """What a process and all below it that still live have used: coqtop is a child of its sandbox."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:  # it has ended meanwhile
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)
