"""The files of a tokenizer in a Hugging Face folder, read and written.

``tokenizer.json`` is the truth where it exists: the settings of an older class, such as
``do_lower_case``, then no longer matter. Without it the tokenizer is built from a vocabulary file,
or from a SentencePiece model; folders of Marian have two of these, for source and target.
``tokenizer_config.json`` and ``special_tokens_map.json`` say which tokens have which role;
``chat_template.jinja`` goes before the chat template of the former.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Core

from manyheads.errors import ConfigError
from manyheads.text.published import (
    additional_tokens,
    content_of,
    convention_of,
    published_core,
)
from manyheads.text.sentencepiece import read_pieces

ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")

# What published vocabularies call these tokens, for folders that do not say.
_USUAL_NAMES = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>", "<|endoftext|>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
    "bos": ("<s>", "<|endoftext|>"),
    "eos": ("</s>", "<|endoftext|>"),
}
# Settings that speak of other files, of code, or of what tokenizer.json says better.
_NOT_SAVED = frozenset(
    [
        "name_or_path",
        "special_tokens_map_file",
        "tokenizer_file",
        "vocab_file",
        "merges_file",
        "auto_map",
        "added_tokens_decoder",
        "add_bos_token",
        "add_eos_token",
    ]
)
# What SentencePiece models are called, where a folder has one.
_PIECES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
_SOURCE, _TARGET = "source.spm", "target.spm"  # where it has two
# Old folders name a class, and the class alone knows that its model takes no segments.
_WITHOUT_SEGMENTS = frozenset({"DistilBertTokenizer", "DistilBertTokenizerFast"})

Settings = dict[str, Any]


def read_folder(folder: Path) -> tuple[Core, dict[str, str], Settings]:
    """Read the tokenizer of a folder.

    Returns:
        The tokenizer, the special token of each role that it has, and the settings of
        ``tokenizer_config.json``.

    Raises:
        ConfigError: The folder does not exist, holds no tokenizer, or holds a damaged one.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; a tokenizer is a folder of files")
    return _read(folder, _read_core)


def read_target(folder: Path) -> tuple[Core, dict[str, str], Settings] | None:
    """Read the tokenizer of what a model writes, where the folder has SentencePiece models for two.

    Returns and raises what :func:`read_folder` does; None for a folder with one tokenizer.
    """
    if (folder / "tokenizer.json").is_file() or not (folder / _TARGET).is_file():
        return None
    return _read(folder, _read_target_core)


def _read(
    folder: Path, read_core: Callable[[Path, Settings], Core]
) -> tuple[Core, dict[str, str], Settings]:
    settings = _read_json(folder / "tokenizer_config.json")
    if (chat := folder / "chat_template.jinja").is_file():
        settings["chat_template"] = chat.read_text(encoding="utf-8")
    tokens = _read_json(folder / "special_tokens_map.json") | settings
    core = read_core(folder, tokens)
    core.no_truncation()  # both are a caller's choice, and a shared tokenizer keeps no such state
    core.no_padding()
    special = _roles(core, tokens)
    _register(core, folder, tokens, special)
    return core, special, settings


def write_folder(
    folder: Path,
    core: Core,
    special: Mapping[str, str],
    max_tokens: int | None,
    settings: Mapping[str, Any],
) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``special_tokens_map.json``.

    The configuration names the class that reads ``tokenizer.json`` as it is, because the classes of
    single families build their own rules from the vocabulary instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    roles = {f"{role}_token": token for role, token in special.items()}
    config = {name: value for name, value in settings.items() if name not in _NOT_SAVED}
    config |= roles
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.setdefault("model_input_names", _input_names(core, settings))
    config.setdefault("clean_up_tokenization_spaces", False)
    if max_tokens is not None:
        config["model_max_length"] = max_tokens
    core.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", config)
    _write_json(folder / "special_tokens_map.json", roles)


def _read_core(folder: Path, settings: Settings) -> Core:
    found = _first_of(
        folder,
        settings,
        (_read_whole, ("tokenizer.json",)),
        (_read_word_pieces, ("vocab.txt",)),
        (_read_byte_pairs, ("vocab.json", "merges.txt")),
        (_read_listed_pieces, (_SOURCE, "vocab.json")),
        *((_read_listed_pieces, (name, "vocab.json")) for name in _PIECES),
        *((_read_numbered_pieces, (name,)) for name in _PIECES),
    )
    if found is None:
        raise ConfigError(
            f"{folder} has no tokenizer: neither tokenizer.json, nor vocab.txt, nor vocab.json "
            f"with merges.txt, nor a SentencePiece model ({', '.join(_PIECES)}, or {_SOURCE} "
            "with vocab.json)"
        )
    return found


def _read_target_core(folder: Path, settings: Settings) -> Core:
    vocabulary = "target_vocab.json" if settings.get("separate_vocabs") else "vocab.json"
    found = _first_of(folder, settings, (_read_listed_pieces, (_TARGET, vocabulary)))
    if found is None:
        raise ConfigError(f"{folder} has {_TARGET} without {vocabulary}; restore that")
    return found


def _first_of(
    folder: Path, settings: Settings, *ways: tuple[Callable[..., Core], tuple[str, ...]]
) -> Core | None:
    """Return the tokenizer that the first complete set of files makes."""
    for build, names in ways:
        files = [folder / name for name in names]
        if all(file.is_file() for file in files):
            try:
                return build(settings, *files)
            except Exception as error:  # the library raises plain Exception for damaged files
                raise ConfigError(
                    f"{' and '.join(names)} in {folder} cannot be read: {error}"
                ) from error
    return None


def _read_whole(_: Settings, file: Path) -> Core:
    return Core.from_file(str(file))


def _read_word_pieces(settings: Settings, file: Path) -> Core:
    text = file.read_text(encoding="utf-8")
    lines = text.removesuffix("\n").split("\n")
    vocabulary = {token.rstrip("\r"): number for number, token in enumerate(lines)}
    special = {role: content_of(settings.get(f"{role}_token")) for role in ROLES}
    cls, sep = special["cls"] or "[CLS]", special["sep"] or "[SEP]"
    unknown = special["unk"] or "[UNK]"
    for token in (cls, sep, unknown):
        if token not in vocabulary:
            raise ConfigError(f"the vocabulary has no {token}")
    core = Core(models.WordPiece(vocabulary, unk_token=unknown))
    core.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = bert_template((cls, vocabulary[cls]), (sep, vocabulary[sep]))
    core.decoder = decoders.WordPiece(prefix="##")
    return core


def _read_byte_pairs(settings: Settings, vocabulary_file: Path, merges: Path) -> Core:
    vocabulary, pairs = models.BPE.read_file(str(vocabulary_file), str(merges))
    core = Core(models.BPE(vocabulary, pairs))
    prefix = settings.get("add_prefix_space", False)
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    core.decoder = decoders.ByteLevel()
    special = _roles(core, settings)
    if "cls" in special and "sep" in special:
        core.post_processor = processors.RobertaProcessing(
            (special["sep"], vocabulary[special["sep"]]),
            (special["cls"], vocabulary[special["cls"]]),
            trim_offsets=settings.get("trim_offsets", True),
            add_prefix_space=prefix,
        )
    else:
        core.post_processor = processors.ByteLevel(trim_offsets=False)
    return core


def _read_numbered_pieces(settings: Settings, file: Path) -> Core:
    model_type = _read_json(file.parent / "config.json").get("model_type")
    return published_core(read_pieces(file), convention_of(settings, model_type), settings)


def _read_listed_pieces(settings: Settings, file: Path, vocabulary: Path) -> Core:
    model_type = _read_json(file.parent / "config.json").get("model_type")
    numbers = _read_json(vocabulary)
    listed = sorted(numbers, key=lambda token: numbers[token])
    if [numbers[token] for token in listed] != list(range(len(listed))):
        raise ConfigError(f"{vocabulary.name} does not number its tokens from 0 on, each once")
    return published_core(read_pieces(file), convention_of(settings, model_type), settings, listed)


def bert_template(cls: tuple[str, int], sep: tuple[str, int]) -> processors.TemplateProcessing:
    """Return the frame ``[CLS] A [SEP]`` or ``[CLS] A [SEP] B [SEP]``, with B as segment 1."""
    return processors.TemplateProcessing(
        single=f"{cls[0]}:0 $A:0 {sep[0]}:0",
        pair=f"{cls[0]}:0 $A:0 {sep[0]}:0 $B:1 {sep[0]}:1",
        special_tokens=[cls, sep],
    )


def _roles(core: Core, tokens: Mapping[str, Any]) -> dict[str, str]:
    """Return the token of each role: as the folder says, or else by the usual names."""
    named = {role: content_of(tokens.get(f"{role}_token")) for role in ROLES}
    if any(named.values()):
        return {role: token for role, token in named.items() if token}
    return {
        role: next(name for name in names if core.token_to_id(name) is not None)
        for role, names in _USUAL_NAMES.items()
        if any(core.token_to_id(name) is not None for name in names)
    }


def _register(core: Core, folder: Path, tokens: Mapping[str, Any], special: dict[str, str]) -> None:
    """Make sure that every token which the folder calls special is never split.

    A token that the vocabulary lacks gets the next free id.
    """
    known = {token.content for token in core.get_added_tokens_decoder().values()}
    described = sorted(
        tokens.get("added_tokens_decoder", {}).items(), key=lambda item: int(item[0])
    )
    later = sorted(_read_json(folder / "added_tokens.json").items(), key=lambda item: int(item[1]))
    wanted = [
        *(entry for _, entry in described),
        *(token for token, _ in later),
        *(tokens.get(f"{role}_token") or name for role, name in special.items()),
        *additional_tokens(tokens),
    ]
    for entry in wanted:
        token = _added_token(entry)
        if token.content not in known:
            add = core.add_special_tokens if token.special else core.add_tokens
            add([token])
            known.add(token.content)


def _added_token(entry: str | Mapping[str, Any]) -> AddedToken:
    if isinstance(entry, str):
        return AddedToken(entry, special=True, normalized=False)
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    return AddedToken(
        entry["content"],
        special=entry.get("special", True),
        **{flag: entry.get(flag, False) for flag in flags},
    )


def _input_names(core: Core, settings: Mapping[str, Any]) -> list[str]:
    """Return the inputs that the model takes, in the order that transformers gives them."""
    framed = core.encode("a", "b")
    segments = any(framed.type_ids) and settings.get("tokenizer_class") not in _WITHOUT_SEGMENTS
    return ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"]


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold one JSON object")
    return content


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    file.write_text(text, encoding="utf-8")
