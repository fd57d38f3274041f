"""How published models number the pieces of their SentencePiece files, and frame their texts.

The file of pieces leaves both to the class of the tokenizer:

T5, mT5     pieces, <extra_id_99> … <extra_id_0>                       text </s>
Llama       pieces                                                     <s> text
XLM-R       <s> <pad> </s> <unk>, pieces, <mask>                       <s> text </s>
mBART       <s> <pad> </s> <unk>, pieces, languages, <mask>            text </s> en_XX
mBART-50    as mBART                                                   en_XX text </s>
NLLB        as mBART                                                   eng_Latn text </s>
M2M-100     a list (vocab.json), languages                             __en__ text </s>
PEGASUS     <pad> </s> and 103 that only its pretraining used, pieces   text </s>
Marian      a list for both languages, or one for each                 text </s>
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokenizers import AddedToken, processors
from tokenizers import Tokenizer as Core

from manyheads.errors import ConfigError
from manyheads.text.pieces import piece_core
from manyheads.text.sentencepiece import Kind, PieceModel


@dataclass(frozen=True)
class Convention:
    """What the class of a tokenizer adds to the pieces of its file.

    Attributes:
        single: What stands around one text, ``$A``; ``{eos}`` is the token of that role, and
            ``{language}`` the one of the language that the text is written in.
        pair: What stands around two texts, ``$A`` and ``$B``.
        first: The tokens that are numbered before all pieces, in place of the special ones of the
            file; none where the file numbers them.
        mask: The token that is numbered last, if any.
        language: The language of texts unless the folder says so; None where texts name none.
        languages: The tokens of all languages, where the folder does not list them.
        sentinels: How many sentinels are numbered behind the pieces unless the folder says so.
        once: Whether a space is put in front of whole texts alone, not behind special tokens, by
            models that keep all spaces.
    """

    single: str
    pair: str
    first: tuple[str, ...] = ()
    mask: str | None = None
    language: str | None = None
    languages: tuple[str, ...] = ()
    sentinels: int = 0
    once: bool = False


_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
# Languages in the order of their numbers.
_MBART_CODES = """
    ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV
    my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN"""
_MBART_50_CODES = f"""{_MBART_CODES}
    af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX
    sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI"""
_M2M_CODES = """
    af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha
    he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne
    nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo
    xh yi yo zh zu"""
_WMT21_CODES = "en ha is ja cs ru zh de"


def _underlined(codes: str) -> tuple[str, ...]:
    return tuple(f"__{code}__" for code in codes.split())


_MBART = Convention(
    single="$A {eos} {language}",
    pair="$A $B {eos} {language}",
    first=_FAIRSEQ,
    mask="<mask>",
    language="en_XX",
    languages=tuple(_MBART_CODES.split()),
)
_NAMED_FIRST = replace(
    _MBART, single="{language} $A {eos}", pair="{language} $A $B {eos}", languages=()
)
_T5 = Convention("$A {eos}", "$A {eos} $B {eos}", sentinels=100)
_LLAMA = Convention("{bos} $A", "{bos} $A {bos} $B")
_XLM_R = Convention(
    "{cls} $A {sep}", "{cls} $A {sep} {sep} $B {sep}", first=_FAIRSEQ, mask="<mask>"
)
_MBART_50 = replace(_NAMED_FIRST, languages=tuple(_MBART_50_CODES.split()))
_NLLB = replace(_NAMED_FIRST, language="eng_Latn")
_M2M = replace(_NAMED_FIRST, first=(), mask=None, language="en", languages=_underlined(_M2M_CODES))
_MARIAN = Convention("$A {eos}", "$A $B {eos}")
_HIDDEN = ("<mask_1>", "<mask_2>", *(f"<unk_{number}>" for number in range(2, 103)))
_PEGASUS = replace(_MARIAN, first=("<pad>", "</s>", *_HIDDEN, "<unk>"))

_OF_CLASSES = {
    "T5Tokenizer": _T5,
    "MT5Tokenizer": _T5,
    "LlamaTokenizer": _LLAMA,
    "XLMRobertaTokenizer": _XLM_R,
    "MBartTokenizer": _MBART,
    "MBart50Tokenizer": _MBART_50,
    "NllbTokenizer": _NLLB,
    "M2M100Tokenizer": _M2M,
    "MarianTokenizer": _MARIAN,
    "PegasusTokenizer": _PEGASUS,
}
# What folders that name no such class mean, by the kind of their model.
_OF_MODELS = {
    "t5": _T5,
    "mt5": _T5,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "xlm-roberta": _XLM_R,
    "mbart": _MBART,
    "m2m_100": _M2M,
    "marian": _MARIAN,
    "pegasus": _PEGASUS,
}
_USUAL = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>"}
_LEADING = re.compile(r">>\S+<<")  # names the language to write, in front of a source
_SENTINEL = "<extra_id_{}>"


def convention_of(settings: Mapping[str, Any], model_type: str | None) -> Convention:
    """Return what the class of a tokenizer adds, by the folder's settings and kind of model.

    Raises `ConfigError` for a class that is not known here.
    """
    name = str(settings.get("tokenizer_class") or "").removesuffix("Fast")
    convention = _OF_CLASSES.get(name) or _OF_MODELS.get(model_type or "")
    if convention is None:
        raise ConfigError(
            f"pieces are numbered by the class of the tokenizer, and {name or 'none'} is no known "
            f"one; set tokenizer_class in tokenizer_config.json to one of {', '.join(_OF_CLASSES)}"
        )
    if convention is _LLAMA:
        before = "" if settings.get("add_bos_token") is False else "{bos} "
        after = " {eos}" if settings.get("add_eos_token") else ""
        one, other = f"{before}$A{after}", f"{before}$B{after}"
        once = not settings.get("legacy", False)
        return replace(convention, single=one, pair=f"{one} {other}", once=once)
    if convention is _NLLB and settings.get("legacy_behaviour"):
        return replace(convention, single=_MBART.single, pair=_MBART.pair)
    if convention is _M2M and settings.get("language_codes") == "wmt21":
        return replace(convention, languages=_underlined(_WMT21_CODES))
    return convention


def published_core(
    model: PieceModel,
    convention: Convention,
    settings: Mapping[str, Any],
    listed: Sequence[str] | None = None,
) -> Core:
    """Return a tokenizer of the ``tokenizers`` library that numbers pieces as they are published.

    Args:
        model: The pieces.
        convention: What the class of the tokenizer adds to them.
        settings: What the folder says of special tokens.
        listed: The token of each id, where a file of its own lists them.
    """
    given = {
        role: content_of(settings.get(f"{role}_token")) or name for role, name in _USUAL.items()
    }
    tokens = list(listed) if listed is not None else _numbered(model, convention)
    sentinels = _sentinels(tokens, convention, settings)
    languages = _languages(convention, settings)
    masks = [convention.mask] if convention.mask else []
    known = set(tokens)
    tokens += [token for token in (*sentinels, *languages, *masks) if token not in known]
    own = dict.fromkeys(
        [
            *(piece.text for piece in model.pieces if piece.kind in (Kind.UNKNOWN, Kind.CONTROL)),
            *given.values(),
            *convention.first,
            *(token for token in tokens if _LEADING.fullmatch(token)),
            *sentinels,
            *languages,
        ]
    )
    known.update(tokens)
    special = [AddedToken(token, normalized=False) for token in own if token in known]
    # A mask takes in the space before it, as the words that it hides do.
    special += [AddedToken(mask, lstrip=True, normalized=False) for mask in masks]
    if model.unknown not in known:
        raise ConfigError(f"the vocabulary has no {model.unknown}")
    core = piece_core(model, tokens, special, once=convention.once and not model.one_space)
    core.post_processor = _frame(core, convention, given | _language(convention, settings, core))
    return core


def _numbered(model: PieceModel, convention: Convention) -> list[str]:
    pieces = model.pieces
    if not convention.first:
        return [piece.text for piece in pieces]
    own = (Kind.UNKNOWN, Kind.CONTROL)
    return [*convention.first, *(piece.text for piece in pieces if piece.kind not in own)]


def _sentinels(
    tokens: Sequence[str], convention: Convention, settings: Mapping[str, Any]
) -> list[str]:
    if not convention.sentinels or any(_SENTINEL.format(0) in token for token in tokens):
        return []
    count = settings.get("extra_ids", convention.sentinels)
    return [_SENTINEL.format(number) for number in reversed(range(count))]


def _languages(convention: Convention, settings: Mapping[str, Any]) -> list[str]:
    """Return the tokens of languages: as the folder lists them, or as they are known to be."""
    if convention.language is None:
        return []
    listed = [content for entry in additional_tokens(settings) if (content := content_of(entry))]
    usual = list(convention.languages)
    if not listed and not usual:
        raise ConfigError(
            "the languages of the model are not listed; restore additional_special_tokens in "
            "special_tokens_map.json"
        )
    return [*usual, *(one for one in listed if one not in usual)]


def _language(convention: Convention, settings: Mapping[str, Any], core: Core) -> dict[str, str]:
    """Return the token of the language that texts are written in."""
    if convention.language is None:
        return {}
    code = settings.get("src_lang") or convention.language  # M2M-100's stand between underlines
    found = next((one for one in (code, f"__{code}__") if core.token_to_id(one) is not None), None)
    if found is None:
        raise ConfigError(f"src_lang={code!r} is no language of the model; correct it")
    return {"language": found}


def _frame(
    core: Core, convention: Convention, names: Mapping[str, str]
) -> processors.TemplateProcessing:
    roles = [role for role in names if f"{{{role}}}" in convention.single + convention.pair]
    used = dict.fromkeys(names[role] for role in roles)
    missing = [token for token in used if core.token_to_id(token) is None]
    if missing:
        raise ConfigError(f"the vocabulary has no {missing[0]}")
    return processors.TemplateProcessing(
        single=convention.single.format(**names),
        pair=convention.pair.format(**names),
        special_tokens=[(token, core.token_to_id(token)) for token in used],
    )


def additional_tokens(settings: Mapping[str, Any]) -> list[Any]:
    """Return the entries of the special tokens that have no role, by the old key and the new."""
    entries = [
        settings.get(key) or () for key in ("additional_special_tokens", "extra_special_tokens")
    ]
    return [e for some in entries for e in (some.values() if isinstance(some, Mapping) else some)]


def content_of(entry: object) -> str | None:
    """Return the text of a token that a file gives as a string or as an object."""
    if isinstance(entry, Mapping):
        entry = entry.get("content")
    return entry if isinstance(entry, str) else None
