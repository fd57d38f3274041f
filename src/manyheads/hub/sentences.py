"""Folders of sentence-transformers: how the vector of a text is made of those of its tokens.

    modules.json        [Transformer, Pooling, Dense …, Normalize], each with a folder of its own
    config_sentence_transformers.json     prompts, and how vectors are compared
    sentence_bert_config.json             how long a text may be

Old and new forms are read; the old ones are written, which all releases read. What is not
understood is refused: a vector made in another way is wrong without looking so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from manyheads.core.similarity import Similarity
from manyheads.core.spec import Pooling
from manyheads.core.vectors import Projection, Step, VectorSpec
from manyheads.errors import ConfigError
from manyheads.hub.checkpoint import CONFIG, read_object, read_objects, write_json
from manyheads.hub.sentence_steps import KINDS, kind_of, read_step, understood, write_step
from manyheads.text import Prompts

MODULES = "modules.json"
_MODEL = "config_sentence_transformers.json"
_TEXTS = "sentence_bert_config.json"
_POOLING = "1_Pooling"
_TYPE = "SentenceTransformer"  # not SparseEncoder or CrossEncoder
_BODIES = "sentence_*_config.json"  # earlier releases named it after the family

_POOLINGS = {
    "cls": Pooling.FIRST,
    "max": Pooling.MAX,
    "mean": Pooling.MEAN,
    "mean_sqrt_len_tokens": Pooling.ROOT_MEAN,
    "weightedmean": Pooling.LATER_MORE,
    "lasttoken": Pooling.LAST,
}
_MODES = {pooling: mode for mode, pooling in _POOLINGS.items()}
# The older form, in the order in which several of them lie side by side.
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_KNOWN_OF_POOLING = dict.fromkeys(
    ("word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt", *_FLAGS),
    ...,
)
_KNOWN_OF_TEXTS: dict[str, Any] = {
    "max_seq_length": ...,
    "do_lower_case": ...,
    "transformer_task": "feature-extraction",
    "modality_config": {
        "text": {"method": "forward", "method_output_name": "last_hidden_state"},
    },
    "module_output_name": "token_embeddings",
}
_KNOWN_OF_MODEL: dict[str, Any] = {
    "__version__": ...,
    "prompts": ...,
    "default_prompt_name": ...,
    "similarity_fn_name": ...,
    "model_type": _TYPE,
}


@dataclass(frozen=True)
class Sentences:
    """What a folder of sentence-transformers says besides the Transformer itself.

    `tensors` are the weights of `spec`'s steps by their names in a `VectorHead`; `body` is where in
    the folder the Transformer lies.
    """

    spec: VectorSpec = field(default_factory=VectorSpec)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    prompts: Prompts = field(default_factory=Prompts)
    max_tokens: int | None = None
    similarity: Similarity = Similarity.COSINE
    body: str = ""


def read_sentences(folder: Path) -> Sentences | None:
    """Return what a folder says of the vectors of texts, None where it is none of these folders.

    Raises `ConfigError` for what cannot be read or computed here, `CheckpointError` for weights.
    """
    if not (folder / MODULES).is_file():
        return None
    modules = _modules(folder / MODULES)
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise ConfigError(
            f"{folder / MODULES} begins with {' and '.join(kinds[:2]) or 'nothing'}; only models "
            "of a Transformer and a Pooling are understood"
        )
    (_, body), (_, pooling), *rest = modules
    steps: list[Step] = []
    tensors: dict[str, Tensor] = {}
    for kind, path in rest:
        if kind not in KINDS:
            raise ConfigError(
                f"{folder / MODULES} has a module {kind}, which is not understood; known are "
                f"Transformer, Pooling, {', '.join(KINDS)}"
            )
        step, weights = read_step(kind, folder / path)
        if step is not None:
            tensors |= {f"steps.{len(steps)}.{name}": one for name, one in weights.items()}
            steps.append(step)
    settings = understood(folder / pooling / CONFIG, _KNOWN_OF_POOLING)
    texts = _settings_of_texts(folder / body)
    model = _settings_of_model(folder / _MODEL)
    return Sentences(
        spec=VectorSpec(_poolings(folder / pooling / CONFIG, settings), tuple(steps)),
        tensors=tensors,
        prompts=Prompts(
            texts=model.get("prompts") or {},
            default=model.get("default_prompt_name"),
            counted=settings.get("include_prompt", True),
            lowercase=texts.get("do_lower_case", False),
        ),
        max_tokens=texts.get("max_seq_length"),
        similarity=Similarity(model.get("similarity_fn_name") or "cosine"),
        body=body,
    )


def makes_vectors(folder: Path) -> bool:
    """Whether this is a folder of sentence-transformers for a model that makes vectors.

    Raises `ConfigError` for a file that cannot be read.
    """
    settings = read_object(folder / _MODEL) if (folder / _MODEL).is_file() else {}
    return (folder / MODULES).is_file() and settings.get("model_type", _TYPE) == _TYPE


def published_pooling(folder: Path) -> Pooling | None:
    """Return how the vectors of a folder are pooled where that is one way, None where it is not.

    Raises `ConfigError` for a file that cannot be read.
    """
    path = folder / _POOLING / CONFIG
    if not (folder / MODULES).is_file() or not path.is_file():
        return None
    modes = _modes(read_object(path))
    return _POOLINGS.get(modes[0]) if len(modes) == 1 else None


def write_sentences(folder: Path, sentences: Sentences, width: int) -> None:
    """Write what makes a model folder one of sentence-transformers; `width` is the model's, D."""
    spec, modules = sentences.spec, [("Transformer", ""), ("Pooling", _POOLING)]
    (folder / _POOLING).mkdir(parents=True, exist_ok=True)
    pooled = {"word_embedding_dimension": width, "include_prompt": sentences.prompts.counted}
    write_json(folder / _POOLING / CONFIG, pooled | _written_poolings(spec.poolings))
    size = width * len(spec.poolings)
    for number, step in enumerate(spec.steps):
        path, own = f"{number + 2}_{kind_of(step)}", f"steps.{number}."
        tensors = sentences.tensors.items()
        weights = {name.removeprefix(own): one for name, one in tensors if name.startswith(own)}
        write_step(step, folder / path, size, weights)
        modules.append((kind_of(step), path))
        size = step.width if isinstance(step, Projection) else size
    texts = {"max_seq_length": sentences.max_tokens, "do_lower_case": sentences.prompts.lowercase}
    write_json(folder / _TEXTS, texts)
    write_json(
        folder / _MODEL,
        {
            "model_type": _TYPE,
            "prompts": dict(sentences.prompts.texts),
            "default_prompt_name": sentences.prompts.default,
            "similarity_fn_name": sentences.similarity.value,
        },
    )
    write_json(
        folder / MODULES,
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(modules)
        ],
    )


def _modules(path: Path) -> list[tuple[str, str]]:
    """Return the kind and the folder of each module; raises `ConfigError` for code of others."""
    modules = []
    for module in read_objects(path):
        kind = str(module.get("type"))
        if not kind.startswith("sentence_transformers."):
            raise ConfigError(
                f"{path} has a module {kind!r} of its own code, which is not run; choose a model "
                "of modules that sentence-transformers has"
            )
        if module.get("kwargs"):
            raise ConfigError(f"{path} has arguments for its module {kind}, not understood here")
        modules.append((kind.rpartition(".")[2], str(module.get("path", ""))))
    return modules


def _settings_of_texts(body: Path) -> dict[str, Any]:
    path = next((one for one in sorted(body.glob(_BODIES))), None)
    return {} if path is None else understood(path, _KNOWN_OF_TEXTS)


def _settings_of_model(path: Path) -> dict[str, Any]:
    settings = understood(path, _KNOWN_OF_MODEL) if path.is_file() else {}
    known = [similarity.value for similarity in Similarity]
    if settings.get("similarity_fn_name") not in (None, *known):
        raise ConfigError(
            f"{path} says similarity_fn_name={settings['similarity_fn_name']!r}, which is not "
            f"understood; known are {', '.join(known)}"
        )
    prompts, default = settings.get("prompts") or {}, settings.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise ConfigError(
            f"{path} has no prompt {default!r}, which it calls the default; it has "
            f"{', '.join(prompts) or 'none'}"
        )
    return settings


def _modes(settings: Mapping[str, Any]) -> list[str]:
    """Return the names of the poolings that a configuration asks for, as they lie side by side."""
    modes = settings.get("pooling_mode")
    if isinstance(modes, str):
        return [modes]
    if modes:
        return list(modes)
    return [mode for flag, mode in _FLAGS.items() if settings.get(flag)] or ["mean"]


def _poolings(path: Path, settings: Mapping[str, Any]) -> tuple[Pooling, ...]:
    modes = _modes(settings)
    if unknown := [mode for mode in modes if mode not in _POOLINGS]:
        raise ConfigError(
            f"{path} pools by {unknown[0]!r}, which is not understood; known are "
            f"{', '.join(_POOLINGS)}"
        )
    return tuple(_POOLINGS[mode] for mode in modes)


def _written_poolings(poolings: tuple[Pooling, ...]) -> dict[str, Any]:
    """Return the older form where it can say this; it knows one order alone."""
    flags = {flag: _POOLINGS[mode] in poolings for flag, mode in _FLAGS.items()}
    if _modes(flags) == [_MODES[pooling] for pooling in poolings]:
        return flags
    return {"pooling_mode": [_MODES[pooling] for pooling in poolings]}
