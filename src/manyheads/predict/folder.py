"""The folder of a predictor: a Hugging Face folder and `manyheads.json`.

The manifest says how text becomes tokens and what the outputs mean. The folder is relocatable,
needs no network, and holds no pickle.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from manyheads._version import __version__
from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub.atomic import replace_files

MANIFEST = "manyheads.json"
FORMAT = 1
PARTS = "parts"  # the key under which an ensemble names the folders of its predictors

# What predictors of some kinds have and others have not, by names that others know too.
FILES = (
    "model.safetensors",
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "manyheads_check.safetensors",
)


def save_folder(folder: Path, write: Callable[[Path], Mapping[str, Any]]) -> Path:
    """Let `write` fill a folder and return what the manifest says; replace old files one by one.

    Files of the predictor before that this one has none of are deleted: an ensemble has no weights
    of its own. Raises `CheckpointError` where files cannot be written; the old ones are whole then.
    """
    had = [name for name in FILES if (folder / MANIFEST).is_file() and (folder / name).is_file()]
    written: set[str] = set()

    def with_manifest(fresh: Path) -> None:
        manifest = {"format": FORMAT, "manyheads": __version__, **write(fresh)}
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (fresh / MANIFEST).write_text(text + "\n", encoding="utf-8")
        written.update(name for name in FILES if (fresh / name).is_file())

    replace_folder(folder, with_manifest, last=MANIFEST)
    for name in had:
        if name not in written:
            (folder / name).unlink()
    return folder


def replace_folder(folder: Path, write: Callable[[Path], None], last: str) -> Path:
    """Let `write` fill a folder; replace old files one by one, the `last` one vouches for all.

    All files are written beside it first, and are on the disk before the first one is replaced.
    Raises `CheckpointError` where they cannot be written; the old ones are whole then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as temporary:
            write(Path(temporary))
            replace_files(folder, Path(temporary), last=last)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the model cannot be saved in {folder} ({error}); make room, or choose another folder"
        ) from error
    return folder


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what the manifest says, None where there is none.

    Raises `ConfigError` for one that cannot be read, or of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); restore it") from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        raise ConfigError(
            f"{path} has format {version!r}, this version reads {FORMAT}; "
            "install the version of manyheads that wrote it, or a newer one"
        )
    return dict(manifest)


def parts_of(folder: Path) -> list[Path]:
    """Return the folders of an ensemble's predictors, none for a single predictor or model.

    Raises `ConfigError` for a manifest that cannot be read.
    """
    manifest = read_manifest(folder) or {}
    return [folder / str(name) for name in manifest.get(PARTS, ())]
