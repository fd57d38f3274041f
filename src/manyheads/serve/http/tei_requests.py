"""What clients of text-embeddings-inference ask."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from manyheads.errors import TextError
from manyheads.serve.model import Asking
from manyheads.serve.reading import Cut

Ids = list[Annotated[int, Field(ge=0)]]


class Direction(StrEnum):
    """From which end a text is cut."""

    LEFT = "Left"
    RIGHT = "Right"


def _capital(value: object) -> object:
    """Return a direction as it is written here: clients write it small, too."""
    return value.capitalize() if isinstance(value, str) else value


class Empty(TextError):  # noqa: N818 - reads as what is wrong
    """A request without any text."""


class Request(BaseModel):
    """What all requests may say."""

    model_config = ConfigDict(extra="ignore")

    truncate: bool | None = False
    truncation_direction: Annotated[Direction, BeforeValidator(_capital)] = Direction.RIGHT

    def asking(self) -> Asking:
        """Return how this is asked of a model."""
        if not self.truncate:
            return Asking(Cut.ERROR)
        return Asking(Cut.TAIL if self.truncation_direction is Direction.LEFT else Cut.HEAD)


class EmbedRequest(Request):
    """Texts to be made vectors of, or the ids of their tokens."""

    inputs: str | Ids | list[str] | list[Ids] | list[str | Ids]
    normalize: bool = True
    prompt_name: str | None = None
    dimensions: int | None = Field(None, ge=1)


class EmbedAllRequest(Request):
    """Texts of whose tokens vectors are wanted."""

    inputs: str | list[str]
    prompt_name: str | None = None


class PredictRequest(Request):
    """A text, a pair, or a batch of both in lists."""

    inputs: str | list[str] | list[list[str]]
    raw_scores: bool = False


class Grouping(StrEnum):
    """Whether words are put together to entities; all ways but none do it here in one way."""

    NONE = "none"
    SIMPLE = "simple"
    FIRST = "first"
    AVERAGE = "average"
    MAX = "max"


class TaggingParameters(BaseModel):
    """What Hugging Face's clients say of how words are tagged; long texts are never cut."""

    model_config = ConfigDict(extra="ignore")

    aggregation_strategy: Grouping | None = Grouping.SIMPLE
    ignore_labels: list[str] | None = None


class TaggingRequest(BaseModel):
    """Texts whose words are to be tagged, as Hugging Face's clients ask."""

    inputs: str | list[str]
    parameters: TaggingParameters | None = None


class RerankRequest(Request):
    """Texts to be ordered by how well they answer a query."""

    query: str
    texts: list[str]
    raw_scores: bool = False
    return_text: bool = False


class SimilarityInput(BaseModel):
    """A text, and others to be compared with it."""

    source_sentence: str
    sentences: list[str]


class SimilarityParameters(Request):
    """How the texts are read."""

    prompt_name: str | None = None


class SimilarityRequest(BaseModel):
    """Texts to be compared."""

    inputs: SimilarityInput
    parameters: SimilarityParameters | None = None


class TokenizeRequest(BaseModel):
    """Texts to be cut into tokens."""

    inputs: str | list[str]
    add_special_tokens: bool = True
    prompt_name: str | None = None


class DecodeRequest(BaseModel):
    """Ids to be made text of."""

    ids: Ids | list[Ids]
    skip_special_tokens: bool = True
