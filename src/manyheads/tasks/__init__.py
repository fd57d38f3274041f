"""Tasks: what a model learns, from a column of labels to predictions with names; and how good
what it writes is: `text_scores` with the metrics of translations, summaries and transcripts.
"""

from __future__ import annotations

from typing import Any

from manyheads.errors import ConfigError, did_you_mean
from manyheads.tasks.answer import Answering
from manyheads.tasks.answer_model import AnswerModel
from manyheads.tasks.answer_samples import QuestionReader, Window, WindowBatch
from manyheads.tasks.answer_spans import Candidate
from manyheads.tasks.answers import Answers, AnswerScores, answer_scores
from manyheads.tasks.batch import Batch
from manyheads.tasks.classify import Classification, MultiLabel, MultiLabelled
from manyheads.tasks.contrast import Angle, CoSent, InBatchNegatives, Objective, SquaredCosine
from manyheads.tasks.decision import Average, Calibrated, Thresholds
from manyheads.tasks.embed import Embedding
from manyheads.tasks.error_rates import CharacterErrors, WordErrors
from manyheads.tasks.few_shot import FewShot
from manyheads.tasks.image_augment import Augmentation, Erase, Flip, Mixup, Shift
from manyheads.tasks.image_batch import ImageBatch, ImageExample, ImageReader
from manyheads.tasks.image_classify import ImageClassification, ImageModel
from manyheads.tasks.language_model import LanguageModel
from manyheads.tasks.many import ManyHeads
from manyheads.tasks.many_model import ManyModel
from manyheads.tasks.many_samples import HeadBatch, HeadSample
from manyheads.tasks.many_scores import ManyScores
from manyheads.tasks.masked import MaskedLanguageModel
from manyheads.tasks.masking import MaskedBatch, Passage, PassageReader, Unit
from manyheads.tasks.one_label import Balance, Labelled, OneLabel
from manyheads.tasks.outputs import HeadModel, OutputTask
from manyheads.tasks.pairs import Pair, PairBatch, PairReader
from manyheads.tasks.plain import PlainModel
from manyheads.tasks.reader import Reader
from manyheads.tasks.regress import Regression, Valued
from manyheads.tasks.related import Related, RelatedBatch, RelatedReader, VectorModel
from manyheads.tasks.rerank import Reranking
from manyheads.tasks.sequence import Example, SequenceTask, TaskModel
from manyheads.tasks.significance import Comparison, compare, compare_values
from manyheads.tasks.stream import Block, BlockBatch, Stream, StreamReader
from manyheads.tasks.summary_metrics import Rouge, RougeKind, RougeWords, summary_metrics
from manyheads.tasks.tag import Tagging
from manyheads.tasks.tag_model import TagModel
from manyheads.tasks.tag_samples import Alignment, Stretch, StretchBatch, WordReader
from manyheads.tasks.task import (
    Averageable,
    Joint,
    Judgement,
    Loss,
    Minibatch,
    Noise,
    Reading,
    Sample,
    Task,
    Tempered,
    Trainable,
    Tunable,
    TwoStage,
)
from manyheads.tasks.text_scores import (
    LanguageModelScores,
    TextScores,
    language_model_scores,
    text_scores,
)
from manyheads.tasks.text_to_text import Summarization, TextToText, Translation
from manyheads.tasks.translation_metrics import (
    Bleu,
    Chrf,
    Nist,
    Ter,
    Tokenisation,
    translation_metrics,
)
from manyheads.tasks.vector_scores import (
    RetrievalScores,
    SimilarityScores,
    ranking_scores,
    retrieval_scores,
    similarity_scores,
)

__all__ = [
    "TASKS",
    "Alignment",
    "Angle",
    "AnswerModel",
    "AnswerScores",
    "Answering",
    "Answers",
    "Augmentation",
    "Average",
    "Averageable",
    "Balance",
    "Batch",
    "Bleu",
    "Block",
    "BlockBatch",
    "Calibrated",
    "Candidate",
    "CharacterErrors",
    "Chrf",
    "Classification",
    "CoSent",
    "Comparison",
    "Embedding",
    "Erase",
    "Example",
    "FewShot",
    "Flip",
    "HeadBatch",
    "HeadModel",
    "HeadSample",
    "ImageBatch",
    "ImageClassification",
    "ImageExample",
    "ImageModel",
    "ImageReader",
    "InBatchNegatives",
    "Joint",
    "Judgement",
    "Labelled",
    "LanguageModel",
    "LanguageModelScores",
    "Loss",
    "ManyHeads",
    "ManyModel",
    "ManyScores",
    "MaskedBatch",
    "MaskedLanguageModel",
    "Minibatch",
    "Mixup",
    "MultiLabel",
    "MultiLabelled",
    "Nist",
    "Noise",
    "Objective",
    "OneLabel",
    "OutputTask",
    "Pair",
    "PairBatch",
    "PairReader",
    "Passage",
    "PassageReader",
    "PlainModel",
    "QuestionReader",
    "Reader",
    "Reading",
    "Regression",
    "Related",
    "RelatedBatch",
    "RelatedReader",
    "Reranking",
    "RetrievalScores",
    "Rouge",
    "RougeKind",
    "RougeWords",
    "Sample",
    "SequenceTask",
    "Shift",
    "SimilarityScores",
    "SquaredCosine",
    "Stream",
    "StreamReader",
    "Stretch",
    "StretchBatch",
    "Summarization",
    "TagModel",
    "Tagging",
    "Task",
    "TaskModel",
    "Tempered",
    "Ter",
    "TextScores",
    "TextToText",
    "Thresholds",
    "Tokenisation",
    "Trainable",
    "Translation",
    "Tunable",
    "TwoStage",
    "Unit",
    "Valued",
    "VectorModel",
    "Window",
    "WindowBatch",
    "WordErrors",
    "WordReader",
    "answer_scores",
    "compare",
    "compare_values",
    "language_model_scores",
    "ranking_scores",
    "retrieval_scores",
    "similarity_scores",
    "summary_metrics",
    "task_type",
    "text_scores",
    "translation_metrics",
]

TASKS = {
    task.name: task
    for task in (
        Classification,
        MultiLabel,
        Regression,
        Reranking,
        ImageClassification,
        TextToText,
        Translation,
        Summarization,
        LanguageModel,
        MaskedLanguageModel,
        Tagging,
        Answering,
        ManyHeads,
    )
}


def task_type(name: str) -> Any:
    """Return the task of that name; raises `ConfigError` for an unknown one."""
    if name not in TASKS:
        raise ConfigError(
            f"the task {name!r} is not known.{did_you_mean(name, TASKS)} Known: {', '.join(TASKS)}"
        )
    return TASKS[name]
