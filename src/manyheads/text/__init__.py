"""Text: from characters to token ids, with nothing lost silently.

    Cleaning             repairs what web pages and spreadsheets do to text
    Tokenizer            turns texts into ids, offsets and segments, and back
    Head, Tail, HeadTail, Windows
                         say which tokens of a text that is too long are kept
    learn_tokenizer      learns BytePair, WordPiece, Unigram, Characters or Words from a corpus
    ChatTemplate         turns a dialogue into the text that a model reads
    sentences            cuts a text into its sentences, losing nothing
    Segmenter            finds the words in Chinese text (optional package jieba)

Nothing here knows a model, and nothing imports torch.
"""

from __future__ import annotations

from manyheads.text.chat import ChatTemplate, Message
from manyheads.text.clean import Cleaning
from manyheads.text.encoded import Encoded, Piece
from manyheads.text.frame import ENDED, FRAMED, OPEN, Frame
from manyheads.text.learn import Algorithm, BytePair, Unigram, WordPiece, learn_tokenizer
from manyheads.text.prompts import Prompts
from manyheads.text.segment import Segmenter, Word
from manyheads.text.sentences import joined, packed, sentences
from manyheads.text.subwords import SubwordSampler, has_parts
from manyheads.text.tokenizer import Tokenizer
from manyheads.text.truncate import (
    Head,
    HeadTail,
    Tail,
    Truncation,
    Windows,
    truncation_from_json,
)
from manyheads.text.whole import Characters, Words

__all__ = [
    "ENDED",
    "FRAMED",
    "OPEN",
    "Algorithm",
    "BytePair",
    "Characters",
    "ChatTemplate",
    "Cleaning",
    "Encoded",
    "Frame",
    "Head",
    "HeadTail",
    "Message",
    "Piece",
    "Prompts",
    "Segmenter",
    "SubwordSampler",
    "Tail",
    "Tokenizer",
    "Truncation",
    "Unigram",
    "Windows",
    "Word",
    "WordPiece",
    "Words",
    "has_parts",
    "joined",
    "learn_tokenizer",
    "packed",
    "sentences",
    "truncation_from_json",
]
