"""Tasks: what a model learns, from a column of labels to predictions with names; and how good
what it writes is: `text_scores` with the metrics of translations, summaries and transcripts.
"""

from __future__ import annotations

from typing import Any

from manyheads.errors import ConfigError, did_you_mean
from manyheads.tasks.answering.answers import Answers, AnswerScores, answer_scores
from manyheads.tasks.answering.model import AnswerModel
from manyheads.tasks.answering.samples import QuestionReader, Window, WindowBatch
from manyheads.tasks.answering.spans import Candidate
from manyheads.tasks.answering.task import Answering
from manyheads.tasks.batch import Batch
from manyheads.tasks.classify import Classification, MultiLabel, MultiLabelled
from manyheads.tasks.decision import Average, Calibrated, Thresholds
from manyheads.tasks.images.augment import Augmentation, Erase, Flip, Mixup, Shift
from manyheads.tasks.images.samples import ImageBatch, ImageExample, ImageReader
from manyheads.tasks.images.task import ImageClassification, ImageModel
from manyheads.tasks.language.causal import LanguageModel
from manyheads.tasks.language.masked import MaskedLanguageModel
from manyheads.tasks.language.masking import MaskedBatch, Passage, PassageReader, Unit
from manyheads.tasks.language.stream import Block, BlockBatch, Stream, StreamReader
from manyheads.tasks.many.model import ManyModel
from manyheads.tasks.many.samples import HeadBatch, HeadSample
from manyheads.tasks.many.scores import ManyScores
from manyheads.tasks.many.task import ManyHeads
from manyheads.tasks.one_label import Balance, Labelled, OneLabel
from manyheads.tasks.outputs import HeadModel, OutputTask
from manyheads.tasks.plain import PlainModel
from manyheads.tasks.reader import Reader
from manyheads.tasks.regress import Regression, Valued
from manyheads.tasks.sequence import Example, SequenceTask, TaskModel
from manyheads.tasks.similarity.embedding import Embedding
from manyheads.tasks.similarity.few_shot import FewShot
from manyheads.tasks.similarity.objectives import (
    Angle,
    CoSent,
    InBatchNegatives,
    Objective,
    SquaredCosine,
)
from manyheads.tasks.similarity.reranking import Reranking
from manyheads.tasks.similarity.samples import Related, RelatedBatch, RelatedReader, VectorModel
from manyheads.tasks.similarity.scores import (
    RetrievalScores,
    SimilarityScores,
    ranking_scores,
    retrieval_scores,
    similarity_scores,
)
from manyheads.tasks.tagging.model import TagModel
from manyheads.tasks.tagging.samples import Alignment, Stretch, StretchBatch, WordReader
from manyheads.tasks.tagging.task import Tagging
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
from manyheads.tasks.writing.error_rates import CharacterErrors, WordErrors
from manyheads.tasks.writing.samples import Pair, PairBatch, PairReader
from manyheads.tasks.writing.scores import (
    LanguageModelScores,
    TextScores,
    language_model_scores,
    text_scores,
)
from manyheads.tasks.writing.significance import Comparison, compare, compare_values
from manyheads.tasks.writing.summaries import Rouge, RougeKind, RougeWords, summary_metrics
from manyheads.tasks.writing.task import Summarization, TextToText, Translation
from manyheads.tasks.writing.translations import (
    Bleu,
    Chrf,
    Nist,
    Ter,
    Tokenisation,
    translation_metrics,
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
