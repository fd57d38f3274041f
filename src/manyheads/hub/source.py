"""Where a model is: a folder, `package:NAME/PATH`, or a Hub id.

`package:NAME/PATH` names a folder inside an installed Python package, so that a machine without
access to any hub works from its package index alone. Nothing of the package is run to find it.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from manyheads.errors import ReferenceNotFound

_PACKAGE = "package:"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_NEEDED = ("*.json", "*.safetensors", "pytorch_model*.bin", "*.txt", "*.model", "*.spm")


def locate(reference: str | Path) -> Path:
    """Return the folder (or file) on this machine that a model reference stands for.

    A Hub id (`owner/name`, `owner/name@revision`) is downloaded once and found in the cache later.
    Raises `ReferenceNotFound` with what was tried.
    """
    text = str(reference)
    if text.startswith(_PACKAGE):
        return _in_package(text)
    path = Path(text).expanduser()
    if path.exists():
        return path
    if _HUB_ID.fullmatch(text):
        return _from_hub(text)
    raise ReferenceNotFound(
        f"model reference {text!r} leads nowhere: there is no such folder, and it is neither "
        "package:NAME/PATH nor a Hub id of the form owner/name"
    )


def _in_package(text: str) -> Path:
    name, _, inner = text.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ReferenceNotFound(
            f"{text!r} names the Python package {name!r}, which is not installed; "
            f"run `pip install {name.replace('_', '-')}`"
        )
    home = Path(next(iter(spec.submodule_search_locations)))
    path = home / inner
    if not path.exists():
        folders = sorted(p.name for p in home.iterdir() if p.is_dir() and p.name[0] not in "_.")
        raise ReferenceNotFound(
            f"{text!r}: the package {name!r} is installed but has no {inner!r}; "
            f"it has the folders {', '.join(folders) or '(none)'}"
        )
    return path


def _from_hub(text: str) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = text.partition("@")
    try:
        folder = snapshot_download(
            repository, revision=revision or None, allow_patterns=list(_NEEDED)
        )
    except Exception as error:  # the client raises many kinds; each means "not to be had"
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ReferenceNotFound(
            f"{text!r} is no folder here and could not be fetched from the Hub ({reason}); "
            "check the name and the connection, or give a folder or package:NAME/PATH"
        ) from error
    return Path(folder)
