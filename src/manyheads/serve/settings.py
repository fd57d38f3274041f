"""What is known of a model that is to be served, before it is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.errors import ConfigError
from manyheads.serve.encoding import Encoding
from manyheads.serve.reception import Limits


@dataclass(frozen=True)
class ModelSettings:
    """A model to be served; what is None is chosen when it is open, by its memory and speed.

    Attributes:
        reference: A folder, GGUF file, `package:NAME/PATH` or Hub id.
        name: What clients call it; what the reference says where it is not given.
        workers: Processes that hold it.
        threads: Cores of all of them together.
        batch_tokens: Tokens in a batch, unless one text has more.
        queue_tokens: Tokens that may wait before clients are sent away.
        texts_per_request: Texts in a request at most.
        rows: Texts that a worker writes at once, beams and samples counted.
        cache_megabytes: Answers that are remembered; 0 for none.
        memory: Megabytes that a worker may hold besides its files; None for no limit.
        device: Where it is computed.
        encoding: How its layers are served, instead of what it says of texts.
    """

    reference: str
    name: str = ""
    workers: int | None = None
    threads: int | None = None
    batch_tokens: int | None = None
    queue_tokens: int = Limits.queue_tokens
    texts_per_request: int = Limits.texts_per_request
    rows: int = Limits.rows
    cache_megabytes: int = 0
    memory: int | None = None
    device: str = "cpu"
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers={self.workers} answer nothing; choose at least 1")

    @property
    def cores(self) -> int:
        """How many cores its workers have together."""
        return self.threads or len(os.sched_getaffinity(0))

    @property
    def called(self) -> str:
        """What clients call it: a folder by its name, a package or a Hub id as it is written."""
        if self.name:
            return self.name
        folder = Path(self.reference)
        return folder.resolve().name if folder.exists() else self.reference.removeprefix("package:")

    def opened(self) -> dict[str, Any]:
        """Return what a worker is told to open."""
        return {
            "reference": self.reference,
            "device": self.device,
            "memory": self.memory,
            "encoding": None if self.encoding is None else self.encoding.to_json(),
        }

    def limits(self, batch_tokens: int) -> Limits:
        """Return what it is allowed, with the tokens of a batch that were chosen."""
        return Limits(
            batch_tokens,
            self.queue_tokens,
            self.cores,
            self.texts_per_request,
            rows=self.rows,
            cache=self.cache_megabytes << 20,
        )
