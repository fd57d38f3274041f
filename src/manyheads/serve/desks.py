"""Which desk a model gets, by what opening it gives."""

from __future__ import annotations

from typing import Any

from manyheads.errors import ConfigError
from manyheads.hub import locate
from manyheads.predict import (
    Answerer,
    Embedder,
    ManyPredictor,
    MaskFiller,
    Predictor,
    Tagger,
    WritingPredictor,
    load,
    task_of,
)
from manyheads.predict.fidelity import require_fidelity
from manyheads.serve.answering_desk import answering_desk
from manyheads.serve.desk import (
    Desk,
    embedding_desk,
    filling_desk,
    labelling_desk,
    tagging_desk,
)
from manyheads.serve.encoding import Encoding
from manyheads.serve.encoding_desk import encoding_desk
from manyheads.serve.heads_desk import heads_desk
from manyheads.serve.writing_desk import WritingDesk, writing_desk
from manyheads.writer import Generator


def open_desk(
    reference: str, device: str = "cpu", encoding: dict[str, Any] | None = None
) -> Desk | WritingDesk:
    """Open a model, or its layers with an `encoding`; raises `ConfigError` for one of no use."""
    if encoding is not None:
        return encoding_desk(reference, Encoding.from_json(encoding), device)
    predictor = load(reference, device=device)
    if isinstance(predictor, Embedder | Predictor | Tagger | Answerer | ManyPredictor):
        require_fidelity(locate(reference), predictor.check_vectors)
    match predictor:
        case Embedder():
            return embedding_desk(predictor)
        case Predictor():
            return labelling_desk(predictor)
        case Tagger():
            return tagging_desk(predictor)
        case MaskFiller():
            return filling_desk(predictor)
        case Answerer():
            return answering_desk(predictor)
        case ManyPredictor():
            return heads_desk(predictor)
        case Generator():
            return writing_desk(predictor)
        case WritingPredictor():
            usual = {"truncate": predictor.wording.truncate}
            return writing_desk(predictor.generator, predictor.cleaned, usual)
    raise ConfigError(f"{reference} is a model for {task_of(predictor)}, which is not served")
