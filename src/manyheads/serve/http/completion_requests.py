"""What clients of OpenAI's wire ask of a model that writes.

What would change the text and cannot be done is refused; what cannot change it is left unread.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from manyheads.errors import TextError

_COMPLETION_TOKENS = 16  # of a completion whose length nobody names, as OpenAI has it
Stops = Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)]


class StreamOptions(BaseModel):
    """What is told besides the text."""

    include_usage: bool = False


class Sampled(BaseModel):
    """How tokens are chosen, and what else all completions may say."""

    model_config = ConfigDict(extra="ignore")

    model: str
    n: int = Field(1, ge=1, le=64)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = None
    min_p: float | None = Field(None, ge=0, lt=1)
    repetition_penalty: float | None = Field(None, gt=0)
    min_tokens: int | None = Field(None, ge=0)
    seed: int | None = None
    stop: str | Stops | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    logit_bias: dict[str, float] | None = None
    tools: list[Any] | None = None

    @field_validator("logit_bias", "tools")
    @classmethod
    def _nothing(cls, value: Any) -> Any:
        if value:
            raise ValueError("is not known here; leave it out")
        return value

    @property
    def counts_usage(self) -> bool:
        """Whether a stream says in the end how many tokens it took."""
        return self.stream_options is not None and self.stream_options.include_usage

    def _wording(self, max_tokens: int | None) -> dict[str, Any]:
        known = {"temperature", "top_p", "min_p", "repetition_penalty", "min_tokens", "seed"}
        said = self.model_dump(include=known, exclude_none=True)
        if self.top_k is not None and self.top_k > 0:  # others say -1 or 0 for all of them
            said["top_k"] = self.top_k
        if said.get("temperature") == 0:
            said = {
                name: one for name, one in said.items() if name not in ("top_p", "min_p", "top_k")
            }
        elif self.n > 1 and not said.keys() & {"temperature", "top_p", "min_p", "top_k"}:
            said["temperature"] = 1.0  # one text n times is not what was meant
        if self.stop:
            said["stop"] = [self.stop] if isinstance(self.stop, str) else self.stop
        if max_tokens is not None:
            said["max_tokens"] = max_tokens
        if "seed" in said:
            said["seed"] = abs(said["seed"])
        return said


class CompletionRequest(Sampled):
    """Prompts to go on with: texts, or the ids of the model's own tokenizer."""

    prompt: str | list[str] | list[int] | list[list[int]]
    max_tokens: int | None = Field(_COMPLETION_TOKENS, ge=1)
    echo: bool = False
    logprobs: Literal[0] | None = None  # of the tokens that were chosen; others are not kept
    best_of: int | None = None
    suffix: Literal[""] | None = None

    def check(self) -> None:
        """Raise `TextError` for what is asked for and not known here."""
        if self.best_of not in (None, self.n):
            raise TextError(f"best_of={self.best_of} is not n={self.n}; leave it out")

    def wording(self) -> dict[str, Any]:
        """Return how is to be written, by the names of the fields of a wording."""
        return self._wording(self.max_tokens)


class Part(BaseModel):
    """A part of a message; only text is read."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A message of a dialogue."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    def to_json(self) -> dict[str, str]:
        """Return the message as chat templates know it."""
        role = "system" if self.role == "developer" else self.role
        if isinstance(self.content, str):
            return {"role": role, "content": self.content}
        return {"role": role, "content": "".join(part.text for part in self.content)}


class ResponseFormat(BaseModel):
    """In which form to reply; only text."""

    type: Literal["text"] = "text"


class ChatRequest(Sampled):
    """A dialogue to reply to."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: Literal[0] | None = None
    response_format: ResponseFormat | None = None

    def dialogue(self) -> list[dict[str, str]]:
        """Return the messages as chat templates know them."""
        return [one.to_json() for one in self.messages]

    def wording(self) -> dict[str, Any]:
        """Return how is to be written, by the names of the fields of a wording."""
        return self._wording(self.max_completion_tokens or self.max_tokens)
