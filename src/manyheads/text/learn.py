"""Learning a tokenizer from a corpus: BPE, WordPiece, Unigram, whole words or characters.

All of them yield the frame ``[CLS] text [SEP]`` and the special tokens ``[PAD]`` (id 0), ``[UNK]``,
``[CLS]``, ``[SEP]`` and ``[MASK]``, unless another `Frame` is asked for. The same corpus and
settings give the same tokenizer.

Chinese needs no spaces: ``BytePair`` and ``Unigram`` learn pieces of several characters from the
runs between punctuation marks, ``WordPiece`` reads each character as a word, as BERT does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tokenizers import (
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from tokenizers import Tokenizer as Core

from manyheads.errors import RecipeError, TextError
from manyheads.text.frame import FRAMED, Frame
from manyheads.text.segment import Word
from manyheads.text.tokenizer import Tokenizer
from manyheads.text.whole import Characters, Words

_BOUNDARY = "\x1f"  # the unit separator: stands in a training text where no piece may reach across
_MARK = "▁"  # stands for the space before a word
_END = "\x1e"  # the record separator: follows a word that is shown to Unigram once more
_COVERAGE = 0.9995  # of all characters in a corpus; the rarest become [UNK] (as in SentencePiece)
_ALPHABET_SHARE = 0.75  # of the vocabulary at most goes to single characters


@dataclass(frozen=True)
class BytePair:
    """Byte-level BPE: the most frequent neighbours are merged, again and again.

    It starts from the 256 bytes, so that no text is unknown to it (Sennrich et al. 2016, "Neural
    Machine Translation of Rare Words with Subword Units"; bytes as in GPT-2, Radford et al. 2019).

    Attributes:
        vocabulary: How many tokens to learn, special tokens included.
        lowercase: Whether capitals are read as small letters.
    """

    vocabulary: int = 8000
    lowercase: bool = True

    def __post_init__(self) -> None:
        least = 256 + len(FRAMED.special)
        _require_vocabulary(self.vocabulary, least, "all bytes and special tokens")

    def _empty(self, frame: Frame) -> Core:
        core = Core(models.BPE())
        lower = [normalizers.Lowercase()] if self.lowercase else []
        core.normalizer = normalizers.Sequence([normalizers.NFC(), *lower])
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        return core

    def _learn(self, texts: Sequence[str], core: Core, frame: Frame) -> models.Model:
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            min_frequency=2,
            special_tokens=frame.tokens,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        return _trained(models.BPE(), trainer, texts, [core.pre_tokenizer]).model


@dataclass(frozen=True)
class WordPiece:
    """WordPiece: each word becomes the longest pieces that the vocabulary has, from left to right.

    Pieces inside a word are written ``##piece`` (Devlin et al. 2019, "BERT"); they are found by
    merging frequent neighbours. A Chinese character is a word of its own.

    Attributes:
        vocabulary: How many tokens to learn, special tokens included.
        lowercase: Whether capitals are read as small letters, and accents dropped.
    """

    vocabulary: int = 8000
    lowercase: bool = True

    def __post_init__(self) -> None:
        _require_vocabulary(self.vocabulary, 32, "an alphabet")

    def _empty(self, frame: Frame) -> Core:
        core = Core(models.WordPiece(unk_token=frame.special["unk"]))
        core.normalizer = normalizers.BertNormalizer(lowercase=self.lowercase)
        core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        core.decoder = decoders.WordPiece(prefix="##")
        return core

    def _learn(self, texts: Sequence[str], core: Core, frame: Frame) -> models.Model:
        """Merge over words that begin with a mark, then write what lacks the mark with ``##``.

        The library's own trainer numbers the ``##`` pieces in the order of a hash table, and its
        ties fall differently from run to run.
        """

        def spellings(character: str) -> list[str]:
            inside = f"a{character}a"
            words = core.pre_tokenizer.pre_tokenize_str(core.normalizer.normalize_str(inside))
            return [character] if len(words) > 1 else [character, f"##{character}"]

        costs = {c: len(spellings(c)) for c in set().union(*texts)}
        alphabet = _alphabet(texts, int(self.vocabulary * _ALPHABET_SHARE), costs)
        trainer = trainers.BpeTrainer(
            vocab_size=2 * self.vocabulary, min_frequency=2, show_progress=False
        )
        mark_words = pre_tokenizers.Metaspace(_MARK, prepend_scheme="always", split=False)
        merged = _trained(
            models.BPE(),
            trainer,
            _without_rare(texts, alphabet),
            [core.pre_tokenizer, mark_words],
        ).get_vocab(with_added_tokens=False)
        pieces = [spelling for character in alphabet for spelling in spellings(character)]
        for piece in sorted(merged, key=merged.__getitem__):
            if len(piece.removeprefix(_MARK)) > 1:
                pieces.append(piece[1:] if piece.startswith(_MARK) else f"##{piece}")
        distinct = list(dict.fromkeys([*frame.tokens, *pieces]))[: self.vocabulary]
        vocabulary = {piece: number for number, piece in enumerate(distinct)}
        return models.WordPiece(vocabulary, unk_token=frame.special["unk"])


@dataclass(frozen=True)
class Unigram:
    """Unigram: a text becomes its most probable pieces under a learnt distribution.

    Kudo 2018, "Subword Regularization". Pieces know no words beforehand, which suits Chinese: its
    frequent words become pieces. Learning from a million characters of it takes some 40 seconds.

    Attributes:
        vocabulary: How many tokens to learn, special tokens included; fewer are learnt from a
            corpus that is too small.
        lowercase: Whether capitals are read as small letters.
    """

    vocabulary: int = 8000
    lowercase: bool = True

    def __post_init__(self) -> None:
        _require_vocabulary(self.vocabulary, 32, "an alphabet")

    def _empty(self, frame: Frame) -> Core:
        core = Core(models.Unigram())
        lower = [normalizers.Lowercase()] if self.lowercase else []
        one_space = normalizers.Replace(Regex(r"\s+"), " ")
        no_last_space = normalizers.Strip(left=False, right=True)
        core.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), *lower, one_space, no_last_space]
        )
        core.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(_MARK, prepend_scheme="first"),
                pre_tokenizers.Punctuation("isolated"),
            ]
        )
        core.decoder = decoders.Metaspace(_MARK, prepend_scheme="first")
        return core

    def _learn(self, texts: Sequence[str], core: Core, frame: Frame) -> models.Model:
        alphabet = _alphabet(texts, int(self.vocabulary * _ALPHABET_SHARE))
        trainer = trainers.UnigramTrainer(
            vocab_size=self.vocabulary + 1,  # one for the end, which is taken out again
            special_tokens=frame.tokens,
            unk_token=frame.special["unk"],
            shrinking_factor=0.5,  # half the rounds of pruning that 0.75 takes, in half the time
            show_progress=False,
        )
        words = _as_words(_without_rare(texts, alphabet), core.pre_tokenizer)
        trained = _trained(models.Unigram(), trainer, [*words, _with_ends(words)], [])
        scores = dict(json.loads(trained.to_str())["model"]["vocab"][len(frame.special) :])
        scores.pop(_END, None)
        ranked = [*((token, 0.0) for token in frame.tokens), *_in_one_order(scores)]
        return models.Unigram(ranked, unk_id=list(frame.special).index("unk"), byte_fallback=False)


Algorithm = BytePair | WordPiece | Unigram | Characters | Words


def learn_tokenizer(
    texts: Iterable[str],
    algorithm: Algorithm,
    *,
    frame: Frame = FRAMED,
    max_tokens: int | None = None,
    words: Callable[[str], Sequence[Word]] | None = None,
) -> Tokenizer:
    """Learn a tokenizer from texts.

    Args:
        texts: The corpus. It is held in memory.
        algorithm: The algorithm and its settings.
        frame: The special tokens, and which of them stand around a text.
        max_tokens: The longest sequence that the model will take, to be saved with the tokenizer.
        words: Splits a text into words that no learnt piece may reach across, for example a
            :class:`~manyheads.text.segment.Segmenter`. Only learning needs it: the tokenizer then
            finds the pieces by itself.

    Raises:
        TextError: There is no text, or one is not a string or holds a lone surrogate.
        RecipeError: ``words`` for an algorithm that has no use for them, such as WordPiece, which
            reads Chinese character by character.
    """
    if words is not None and not isinstance(algorithm, BytePair | Unigram):
        raise RecipeError(
            f"{type(algorithm).__name__} learns no pieces that could reach across words, so that "
            "words change nothing; choose BytePair or Unigram"
        )
    core = algorithm._empty(frame)
    normal = [_normalized(core, text, number) for number, text in enumerate(texts, 1)]
    if not any(text.strip() for text in normal):
        raise TextError(f"{len(normal)} texts hold nothing to learn a tokenizer from; give some")
    if words is not None:
        normal = [_apart(text, words(text)) for text in normal]
    core.model = algorithm._learn(normal, core, frame)
    core.add_special_tokens(_special_tokens(frame, takes_space=isinstance(algorithm, BytePair)))
    around: processors.PostProcessor = frame.template()
    if isinstance(algorithm, BytePair):  # offsets of words leave out the space before them
        around = processors.Sequence([processors.ByteLevel(trim_offsets=True), around])
    core.post_processor = around
    return Tokenizer(core, special=dict(frame.special), max_tokens=max_tokens)


def _special_tokens(frame: Frame, takes_space: bool) -> list[AddedToken]:
    """Return the special tokens; where words begin with their space, a mask hides that with them.

    Otherwise the space before a mask that stands in a text would be a token of its own, which
    training, where masks take the places of tokens, has never shown.
    """
    mask = frame.special.get("mask")
    return [
        AddedToken(token, special=True, normalized=False, lstrip=takes_space and token == mask)
        for token in frame.tokens
    ]


def _require_vocabulary(given: int, least: int, needs: str) -> None:
    if given < least:
        raise RecipeError(f"vocabulary={given} has no room for {needs}; choose at least {least}")


def _normalized(core: Core, text: str, number: int) -> str:
    if not isinstance(text, str):
        raise TextError(
            f"text {number} is {text!r}, which is not a string; drop the row or give ''"
        )
    try:
        return core.normalizer.normalize_str(text)
    except (TypeError, UnicodeEncodeError) as error:
        raise TextError(
            f"text {number} holds a lone surrogate, which no encoding can write; clean it with "
            "Cleaning(surrogates=True)"
        ) from error


def _apart(text: str, words: Sequence[Word]) -> str:
    """Set a boundary between words; a space stays with the word that follows it."""
    ends = [word.end for word in words if word.text.strip()]
    return _BOUNDARY.join(text[start:end] for start, end in pairwise([0, *ends]))


def _alphabet(texts: Iterable[str], room: int, costs: dict[str, int] | None = None) -> list[str]:
    """Return the characters worth a place in the vocabulary, the most frequent first.

    ``room`` is how many places there are, ``costs`` how many each character takes (one if None).
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    for character in [c for c in counts if c.isspace() or c in (_BOUNDARY, _MARK, _END)]:
        del counts[character]
    chosen: list[str] = []
    missing = _COVERAGE * counts.total()
    for character in sorted(counts, key=lambda c: (-counts[c], c)):
        room -= costs[character] if costs else 1
        if room < 0 or missing <= 0:
            break
        missing -= counts[character]
        chosen.append(character)
    return chosen


def _without_rare(texts: Sequence[str], alphabet: Sequence[str]) -> list[str]:
    """Put a boundary in place of every character that is neither in the alphabet nor a space."""
    seen = set().union(*texts)
    rare = {ord(c): _BOUNDARY for c in seen.difference(alphabet) if not c.isspace() or c == _END}
    return [text.translate(rare) for text in texts]


def _as_words(texts: Iterable[str], splitting: pre_tokenizers.PreTokenizer) -> list[str]:
    """Split texts at their boundaries and by the usual rules; write a boundary at every split."""
    rules = pre_tokenizers.Sequence([pre_tokenizers.Split(_BOUNDARY, "removed"), splitting])
    return [_BOUNDARY.join(word for word, _ in rules.pre_tokenize_str(text)) for text in texts]


def _with_ends(texts: Iterable[str]) -> str:
    """Return every frequent word once more, with an end that no other word has.

    Unigram considers as pieces what two different characters follow in its list of distinct words.
    A word that is the start of no other ("that", "about") has only its end behind it, and would
    never become a piece. With a second end it may, while its count grows by no more than one.
    """
    counts = Counter(word for text in texts for word in text.split(_BOUNDARY))
    return _BOUNDARY.join(sorted(word + _END for word, count in counts.items() if count > 1))


def _trained(
    model: models.Model,
    trainer: trainers.Trainer,
    texts: Sequence[str],
    splitting: Sequence[pre_tokenizers.PreTokenizer],
) -> Core:
    """Train on normalized texts, split first at the boundaries and then by the usual rules."""
    core = Core(model)
    at_boundaries = pre_tokenizers.Split(_BOUNDARY, "removed")
    core.pre_tokenizer = pre_tokenizers.Sequence([at_boundaries, *splitting])
    core.train_from_iterator(texts, trainer, length=len(texts))
    return core


def _in_one_order(scores: dict[str, float]) -> list[tuple[str, float]]:
    """Take out of learnt scores what depends on the order of a hash table.

    The library adds up in that order, which changes the last digits, and gives the characters that
    only larger pieces use a score just above the lowest, rising by 1e-4 in that order.
    """
    lowest = min(scores.values())
    just_above = lowest + 1e-4 * sum(len(piece) == 1 for piece in scores)
    level = {
        piece: round(lowest if len(piece) == 1 and score <= just_above else score, 3)
        for piece, score in scores.items()
    }
    return sorted(level.items(), key=lambda item: (-item[1], item[0]))
