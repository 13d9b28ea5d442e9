"""What goes wrong with a server, in words that say what to do about it. No text holds the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.core.errors import UserError
from src.core.progress import span
from src.generation.budget import BudgetExhausted, Ledger
from src.generation.provider import AnswerVerdict
from src.generation.refusals import Refusal
from src.generation.throttle import OutOfPatience

if TYPE_CHECKING:
    from src.generation.openai import OpenAIGenerator

RUNS_NAMED = 3  # of a study whose budget is used up
GOES_ON = "What was answered is kept and paid for once: the same command goes on."


class Problems:
    """Errors for one generator."""

    def __init__(self, options: OpenAIGenerator, key: str):
        self._options, self._key = options, key
        self.server = f"The server at {options.base_url}"

    def clean(self, error: object) -> str:
        """The error's text in one line, without the key, should the server repeat it."""
        text = " ".join(str(error).split())
        return text.replace(self._key, "***") if self._key != "none" else text

    def fatal(self, verdict: AnswerVerdict, refusal: Refusal) -> UserError:
        """No other call would be spared."""
        said = self.clean(refusal)
        if 300 <= refusal.status < 400:
            return UserError(
                f"{self.server} sends calls on to {self.clean(refusal.elsewhere or 'another place')}: {said}",
                "Is base_url right? Most end in /v1; a page for people to log in is no server of texts.",
            )
        if refusal.status == 407:
            return UserError(
                f"The proxy on the way to {self._options.base_url} wants to know who asks: {said}",
                "Set it with name and password: export HTTPS_PROXY=http://name:password@host:port",
            )
        if verdict is AnswerVerdict.NO_CREDIT:
            return UserError(f"{self.server} says that the account has no credit left: {said}", f"Top it up. {GOES_ON}")
        if verdict is AnswerVerdict.SPENDING_LIMIT:
            return UserError(
                f"{self.server} says that a limit is reached: {said}", f"Raise it there, or wait. {GOES_ON}"
            )
        if verdict is AnswerVerdict.UNKNOWN_MODEL:
            return UserError(
                f"{self.server} does not know the model {self._options.model}: {said}",
                "Check the generator's `model`, and its `base_url`: most end in /v1.",
            )
        key = f"the key in {self._options.api_key_env}" if self._options.api_key_env else "a call without a key"
        return UserError(f"{self.server} refuses {key}: {said}", "Is it the right key for it, and for this model?")

    def all_refused(self, count: int, verdict: AnswerVerdict, refusal: Refusal) -> UserError:
        """The first calls were all refused: then it is not the prompts."""
        said = self.clean(refusal)
        if verdict is AnswerVerdict.TOO_LONG:
            mend = "Ask for shorter texts (sampling.*.max_tokens) or with shorter prompts (prompt_set.chars)."
        elif "chat template" in said and self._options.api == "chat":
            mend = (
                "A base model has no chat template: have its texts continued by teacher.api=completions (a generator "
                "that is no teacher has its own place first: synthesis, engine)."
            )
        else:
            mend = (
                "A field that the model does not take is left out by teacher.provider.omit=[temperature,top_p], or "
                "sent under another name by 'teacher.provider.rename={max_tokens: max_completion_tokens}' (for a "
                "generator that is no teacher its own place stands first: synthesis, engine)."
            )
        return UserError(f"{self.server} refused the first {count} calls: {said}", mend)

    def unreachable(self, error: Exception) -> UserError:
        return UserError(
            f"There is no answer from {self._options.base_url}: {self.clean(error)}",
            "Is the server running, base_url right, and the network up?",
        )

    def answers_with_no_text(self, problem: Exception) -> UserError:
        return UserError(
            f"{self.server} answered the first calls with no text that could be read: {self.clean(problem)}",
            "Is base_url right? Most end in /v1; a page for people to read is no server of texts.",
        )

    def out_of_patience(self, end: OutOfPatience) -> UserError:
        what = "wants a pause of" if end.asked else "has not answered any call for"
        return UserError(
            f"{self.server} {what} {span(end.seconds)}: {self.clean(end.words)}",
            f"Try later. {GOES_ON} The generator's `patience` (now {self._options.patience:g} s) is how long it waits; "
            "max_retries=0 gives up calls that the server fails at.",
        )

    def used_up(self, limit: BudgetExhausted, ledger: Ledger) -> UserError:
        """The budget, and who spent it."""
        account = self._options.account
        by_run = ledger.by_run(account)
        most = sorted(by_run.items(), key=lambda run: (-run[1].dollars, -run[1].tokens))[:RUNS_NAMED]
        went = f" Most of it went to {', '.join(f'{run} ({sum})' for run, sum in most)}." if len(by_run) > 1 else ""
        return UserError(
            f"The budget of {account.partition('/')[0]} is used up ({ledger.spent(account)}): {limit}.{went}",
            "Raise the generator's `budget` to go on: every answer so far is kept, and paid for once.",
        )
