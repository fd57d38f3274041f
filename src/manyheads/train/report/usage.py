"""What each kind of model does, and how it is opened: by us, and by others."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Usage:
    """What a kind of model is called on the Hub, what it does, and how it is asked.

    Attributes:
        pipeline: Its name on the Hub, where it has one.
        does: What it does.
        opened: How `library` opens and asks it; its folder is "path/to/this/folder".
        library: Who opens it besides manyheads.
        call: How what `mh.load` opens is asked.
        reads: What it reads.
    """

    pipeline: str | None
    does: str
    opened: str
    library: str = "transformers"
    call: str = 'model("a text")'
    reads: str = "texts"


_PIPELINE = """\
from transformers import pipeline

model = pipeline("{pipeline}", model="path/to/this/folder")
print(model({asked}))"""
_AUTO = """\
from transformers import {auto}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = {auto}.from_pretrained("path/to/this/folder")
print(tokenizer.decode(model.generate(**tokenizer("a text", return_tensors="pt"))[0]))"""
_SENTENCES = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
print(model.encode(["a text", "another text"]))"""
_QUESTIONS = """\
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModelForQuestionAnswering.from_pretrained("path/to/this/folder")
print(model(**tokenizer("a question", "a text", return_tensors="pt")))"""
_CROSS = """\
from sentence_transformers import CrossEncoder

model = CrossEncoder("path/to/this/folder")
print(model.rank("a query", ["a document", "another one"]))"""
_BODY = """\
from transformers import AutoModel

model = AutoModel.from_pretrained("path/to/this/folder")"""
_IMAGES = """\
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

processor = AutoImageProcessor.from_pretrained("path/to/this/folder")
model = AutoModelForImageClassification.from_pretrained("path/to/this/folder")
outputs = model(**processor(Image.open("an image.png"), return_tensors="pt")).logits
print(model.config.id2label[outputs.argmax().item()])"""
_SEQ2SEQ, _CAUSAL = "AutoModelForSeq2SeqLM", "AutoModelForCausalLM"
_CLASSIFIES = "text-classification"
_ONE_TEXT = _PIPELINE.format(pipeline=_CLASSIFIES, asked='"a text"')
_TWO_TEXTS = _PIPELINE.format(
    pipeline=_CLASSIFIES, asked='{"text": "a text", "text_pair": "another text"}'
)
_TAGS = "token-classification"
_ONE_TAGGED = _PIPELINE.format(pipeline=_TAGS, asked='"a text"')
_MASKED = 'f"This is {{{mask}}}."'

_USAGE = {
    "classification": Usage(_CLASSIFIES, "gives a text one of several labels", _ONE_TEXT),
    "multi-label": Usage(_CLASSIFIES, "gives a text any number of labels", _ONE_TEXT),
    "regression": Usage(_CLASSIFIES, "gives a text a number", _ONE_TEXT),
    "reranking": Usage(
        "text-ranking",
        "says how relevant a document is to a query",
        _CROSS,
        "sentence-transformers",
        call='model.rank("a query", ["a document", "another one"])',
    ),
    "tagging": Usage(_TAGS, "gives each word of a text a tag", _ONE_TAGGED),
    "answering": Usage(
        "question-answering",
        "finds the answer to a question in a text",
        _QUESTIONS,
        call='model("a question", "a text")',
    ),
    "translation": Usage("translation", "translates a text", _AUTO.format(auto=_SEQ2SEQ)),
    "text-to-text": Usage(
        "text2text-generation", "writes a text for a text", _AUTO.format(auto=_SEQ2SEQ)
    ),
    "summarization": Usage("summarization", "summarises a text", _AUTO.format(auto=_SEQ2SEQ)),
    "language-model": Usage("text-generation", "goes on with a text", _AUTO.format(auto=_CAUSAL)),
    "many-heads": Usage(None, "answers several questions about a text in one pass", _BODY),
    "masked-language-model": Usage(
        "fill-mask",
        "fills in what is masked in a text",
        _PIPELINE.format(
            pipeline="fill-mask", asked=_MASKED.format(mask="model.tokenizer.mask_token")
        ),
        call=f"model({_MASKED.format(mask='model.mask')})",
    ),
    "embedding": Usage(
        "sentence-similarity",
        "makes vectors of texts, near to each other where the texts belong together",
        _SENTENCES,
        "sentence-transformers",
        call='model(["a text", "another text"])',
    ),
    "image-classification": Usage(
        "image-classification",
        "gives an image one of several labels",
        _IMAGES,
        call='model("an image.png")',
        reads="images",
    ),
}
_OTHER = Usage(None, "does what it was trained for", _BODY)


def usage_of(task: str, *, is_paired: bool) -> Usage:
    """Return how a model for a task is used; `is_paired` where it learnt from pairs of texts."""
    usage = _USAGE.get(task, _OTHER)
    if is_paired and usage.opened == _ONE_TEXT:
        return replace(usage, opened=_TWO_TEXTS, call='model("a text", "another text")')
    return usage
