"""The tokenizer: texts to token ids, with every truncation counted.

A thin layer over the ``tokenizers`` library, which does the splitting. The shared library object is
never told to truncate or to pad, so one tokenizer serves any number of threads: texts are encoded
whole, and only those that are too long are cut afterwards. Nothing here pads.

A special token that stands in a text (a literal ``[SEP]``) is read as that token, as the library
does by default. It counts as a token of the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer as Core
from tokenizers import processors

from manyheads.errors import RecipeError, TextError
from manyheads.text.chat import ChatTemplate
from manyheads.text.encoded import Encoded, Wanted, truncated, whole
from manyheads.text.folder import read_folder, read_target, write_folder
from manyheads.text.several import several
from manyheads.text.truncate import Truncation

_AT_ONCE = 1_000  # texts: the library holds far more of each than its ids, until they are read
_NO_REAL_LIMIT = 1_000_000  # folders write 1e30 where a model has no limit


class Tokenizer:
    """A vocabulary and its rules: texts to token ids and back.

    Read one with :meth:`from_folder` or learn one with :func:`~manyheads.text.learn_tokenizer`.

    Attributes:
        vocabulary_size: How many tokens there are, V; ids run from 0 to V - 1.
        max_tokens: The longest sequence that the folder allows, or None when it names no limit.
        pad_id, unk_id, cls_id, sep_id, mask_id, bos_id, eos_id: The ids of the special tokens, None
            where the tokenizer lacks one.
        special_ids: The ids of all special tokens.
    """

    def __init__(
        self,
        core: Core,
        *,
        special: dict[str, str],
        max_tokens: int | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Wrap a tokenizer of the ``tokenizers`` library.

        Args:
            core: The tokenizer; it must not truncate or pad.
            special: The special token of each role: pad, unk, cls, sep, mask, bos, eos.
            max_tokens: The longest sequence that the model takes, if it has a limit.
            settings: What ``tokenizer_config.json`` says besides; it is saved again.
        """
        self._core = core
        self._special = special
        self._settings = settings or {}
        self.max_tokens = max_tokens
        self.vocabulary_size: int = core.get_vocab_size(with_added_tokens=True)
        self.pad_id = self._role_id("pad")
        self.unk_id = self._role_id("unk")
        self.cls_id = self._role_id("cls")
        self.sep_id = self._role_id("sep")
        self.mask_id = self._role_id("mask")
        self.bos_id = self._role_id("bos")
        self.eos_id = self._role_id("eos")
        added = core.get_added_tokens_decoder()
        self.special_ids = frozenset(number for number, token in added.items() if token.special)

    @property
    def core(self) -> Core:
        """The tokenizer of the ``tokenizers`` library behind this one; it is not to be changed."""
        return self._core

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The ids of the special tokens that stand before and behind a single text."""
        framed = self._core.encode("a")
        owners = framed.sequence_ids
        first = owners.index(0)
        return framed.ids[:first], framed.ids[first + owners.count(0) :]

    @classmethod
    def from_folder(cls, folder: Path | str) -> Self:
        """Read the tokenizer of a Hugging Face folder.

        The folder holds ``tokenizer.json``, or ``vocab.txt`` (WordPiece), or ``vocab.json`` with
        ``merges.txt`` (byte-level BPE), or a SentencePiece model. Truncation and padding that
        ``tokenizer.json`` switches on are switched off: both are for the caller to choose.

        Raises:
            ConfigError: The folder does not exist, holds no tokenizer, or holds a damaged one.
        """
        return cls._of_files(*read_folder(Path(folder)))

    @classmethod
    def target_from_folder(cls, folder: Path | str) -> Self | None:
        """Read the tokenizer of what a model writes, where a folder has SentencePiece models for
        two languages, as Marian's have; None where it has not.

        Raises:
            ConfigError: Its files are damaged or not complete.
        """
        found = read_target(Path(folder))
        return None if found is None else cls._of_files(*found)

    @classmethod
    def _of_files(cls, core: Core, special: dict[str, str], settings: dict[str, Any]) -> Self:
        limit = settings.get("model_max_length")
        real = limit if isinstance(limit, int | float) and 0 < limit < _NO_REAL_LIMIT else None
        max_tokens = None if real is None else int(real)
        return cls(core, special=special, max_tokens=max_tokens, settings=settings)

    def save(self, folder: Path | str) -> None:
        """Write the tokenizer as files that ``transformers`` and this class read to equal ids."""
        write_folder(Path(folder), self._core, self._special, self.max_tokens, self._settings)

    def to_json(self) -> dict[str, Any]:
        """Return all of the tokenizer as a JSON object for :meth:`from_json`."""
        return {
            "core": self._core.to_str(),
            "special": self._special,
            "max_tokens": self.max_tokens,
            "settings": self._settings,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make the tokenizer again that :meth:`to_json` described."""
        return cls(
            Core.from_str(saved["core"]),
            special=saved["special"],
            max_tokens=saved["max_tokens"],
            settings=saved["settings"],
        )

    def framed_by(self, before: Sequence[int], after: Sequence[int]) -> Tokenizer:
        """Return a tokenizer like this one that puts other special tokens around a text."""
        core = Core.from_str(self._core.to_str())
        around = [[f"{token}:0" for token in self.tokens(ids)] for ids in (before, after)]
        first, second = " ".join([*around[0], "$A:0"]), " ".join(["$B:0", *around[1]])
        core.post_processor = processors.TemplateProcessing(
            single=" ".join([first, *around[1]]),
            pair=f"{first} {second}",
            special_tokens=[(self.tokens([one])[0], one) for one in {*before, *after}],
        )
        return Tokenizer(
            core, special=self._special, max_tokens=self.max_tokens, settings=self._settings
        )

    def encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        truncation: Truncation | None = None,
        offsets: bool = False,
        words: bool = False,
        frame: bool = True,
        first: int = 1,
    ) -> list[Encoded]:
        """Turn texts into tokens, one :class:`Encoded` for each text.

        Args:
            texts: The texts; an empty one becomes its special tokens.
            pairs: For each text the second text that stands beside it.
            truncation: How to cut what is too long; None keeps every text whole.
            offsets: Whether pieces say which characters of which text a token is from (slower).
            words: Whether pieces say which word each token belongs to.
            frame: Whether the special tokens are added that stand around every text.
            first: The number by which errors name the first text.

        Raises:
            TextError: A text is not a string or holds a lone surrogate, or there are not as many
                second texts as texts.
            RecipeError: The truncation leaves no room beside the special tokens.
        """
        inputs = _inputs(texts, pairs, first)
        paired = pairs is not None
        if truncation is not None:
            self._require_room(truncation, paired, frame)
        wanted = Wanted(offsets, words)
        encode_batch = self._core.encode_batch if offsets or words else self._core.encode_batch_fast
        try:
            return [
                whole(encoding, wanted)
                if truncation is None or len(encoding) <= truncation.max_tokens
                else truncated(encoding, paired, truncation, wanted)
                for start in range(0, len(inputs), _AT_ONCE)
                for encoding in encode_batch(
                    inputs[start : start + _AT_ONCE], add_special_tokens=frame
                )
            ]
        except TypeError as error:  # the library does not say which text it refused
            raise _refusal(texts, pairs, first) from error

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """Turn token ids back into text, as far as the rules of the tokenizer can be undone."""
        return self._core.decode(list(ids), skip_special_tokens=skip_special)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Return each id's token as the vocabulary spells it.

        Raises:
            TextError: An id that the vocabulary does not have.
        """
        tokens = []
        for number in ids:
            token = self._core.id_to_token(number) if number >= 0 else None
            if token is None:
                raise TextError(
                    f"token id {number} is not in this vocabulary of {self.vocabulary_size} tokens"
                )
            tokens.append(token)
        return tokens

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, or None when the vocabulary lacks it."""
        return self._core.token_to_id(token)

    @property
    def vocabulary(self) -> dict[str, int]:
        """The id of every token."""
        return self._core.get_vocab(with_added_tokens=True)

    @property
    def chat_template(self) -> ChatTemplate | None:
        """How a dialogue becomes text, where the folder says so."""
        source = self._settings.get("chat_template")
        if isinstance(source, list):  # several, by name
            named = {one.get("name"): one.get("template") for one in source}
            source = named.get("default")
        if not isinstance(source, str):
            return None
        return ChatTemplate(source, {f"{role}_token": t for role, t in self._special.items()})

    def _role_id(self, role: str) -> int | None:
        token = self._special.get(role)
        return None if token is None else self._core.token_to_id(token)

    def _require_room(self, truncation: Truncation, paired: bool, framed: bool) -> None:
        """Refuse a truncation that cannot work, before a long text happens to need it."""
        frame = self._core.num_special_tokens_to_add(paired) if framed else 0
        room = truncation.max_tokens - frame
        if room < 1:
            raise RecipeError(
                f"max_tokens={truncation.max_tokens} leaves no room beside the {frame} special "
                f"tokens of this tokenizer; choose at least {frame + 1}"
            )
        truncation.cuts((0,) * (1 + paired), room)


def _inputs(texts: Sequence[str], pairs: Sequence[str] | None, first: int) -> list[Any]:
    texts, pairs = several(texts), pairs if pairs is None else several(pairs, "second texts")
    # Two texts in a tuple would be read as a pair, so that the type of each is looked at.
    if not all(isinstance(text, str) for given in (texts, pairs or ()) for text in given):
        raise _refusal(texts, pairs, first)
    if pairs is None:
        return texts
    if len(texts) != len(pairs):
        raise TextError(f"{len(texts)} texts stand beside {len(pairs)} second texts; give one each")
    return list(zip(texts, pairs, strict=True))


def _refusal(texts: Sequence[str], pairs: Sequence[str] | None, first: int) -> TextError:
    """Name the first text that cannot be encoded, and the remedy."""
    for kind, given in (("text", texts), ("second text", pairs or ())):
        for number, text in enumerate(given, first):
            if not isinstance(text, str):
                return TextError(
                    f"{kind} {number} is {text!r}, which is not a string; drop the row or give ''"
                )
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                return TextError(
                    f"{kind} {number} holds a lone surrogate {text[error.start]!r} at character "
                    f"{error.start}, which no encoding can write; clean it with "
                    "Cleaning(surrogates=True)"
                )
    raise AssertionError("the library refused a text that is a valid string")
