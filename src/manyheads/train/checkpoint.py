"""Checkpoints that survive a kill, a full disk and a damaged file.

A checkpoint is one ``step-<number>.safetensors`` file, which any safetensors reader opens. Its
metadata holds the facts of the run as JSON and a checksum over header and tensors. It appears
under its name only when all of it is on the disk, and the one before it goes only after that.
"""

from __future__ import annotations

import errno
import json
import shutil
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from manyheads.errors import CheckpointError, TrainingError
from manyheads.hub.atomic import atomic_file, remove_leftovers, sync_folder, write_all
from manyheads.train.state import TrainingState

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_NO_CHECKSUM = b"00000000"
_CHECKSUM_KEY = b'"crc32":"'
_CHUNK = 1 << 24
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DamagedCheckpointWarning(UserWarning):
    """A checkpoint could not be used, and an older one took its place."""


class CheckpointStore:
    """The checkpoints of one run in one folder: the newest `keep` of them.

    One process writes to a folder at a time.
    """

    def __init__(self, folder: str | Path, keep: int = 2) -> None:
        self.folder = Path(folder)
        self.keep = keep

    def save(self, state: TrainingState) -> Path:
        """Write `state` durably, then delete what is older than the newest `keep` checkpoints.

        When this returns, the checkpoint survives a kill and a power cut. Raises `TrainingError`
        where the disk is full or the folder cannot be written; older checkpoints then stay.
        """
        header, tensors = _header(state)
        needed = len(header) + sum(tensor.nbytes for tensor in tensors)
        path = self.folder / f"step-{state.step:010d}.safetensors"
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                sync_folder(self.folder.parent)
            remove_leftovers(self.folder)
            with atomic_file(path) as file:
                _write(file, header, tensors)
        except OSError as error:
            raise TrainingError(self._why_not_saved(error, state.step, needed)) from error
        self._delete_superseded(path)
        return path

    def latest(self) -> TrainingState | None:
        """Return the newest checkpoint that is whole, or None where there is none at all.

        Each damaged one that it passes over raises a `DamagedCheckpointWarning`. Raises
        `CheckpointError` where all are damaged: to begin anew is then the user's decision.
        """
        paths = self.paths()
        for path in paths:
            try:
                return _read(path)
            except (CheckpointError, OSError) as error:
                warnings.warn(
                    f"checkpoint {path} is damaged ({error}); falling back to the one before it",
                    DamagedCheckpointWarning,
                    stacklevel=2,
                )
        if paths:
            raise CheckpointError(
                f"every checkpoint in {self.folder} is damaged; delete the folder to begin anew"
            )
        return None

    def paths(self) -> list[Path]:
        """Return the checkpoints' files, newest first."""
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)

    def clear(self) -> None:
        """Delete all checkpoints, for a new run in the same folder."""
        for path in self.paths():
            path.unlink()
        if self.folder.exists():
            remove_leftovers(self.folder)
            sync_folder(self.folder)

    def _delete_superseded(self, saved: Path) -> None:
        # What claims to be newer than the one just saved was passed over as damaged on resuming.
        paths = self.paths()
        newer = paths[: paths.index(saved)]
        for path in newer + paths[len(newer) + self.keep :]:
            path.unlink()

    def _why_not_saved(self, error: OSError, step: int, needed: int) -> str:
        if error.errno not in _FULL:
            return f"checkpoint at step {step} cannot be written to {self.folder}: {error.strerror}"
        kept = self.paths()
        stays = f"; the last good one, {kept[0].name}, stays" if kept else ""
        return (
            f"checkpoint at step {step} needs {needed:,} bytes in {self.folder}, where "
            f"{shutil.disk_usage(self.folder).free:,} are free; make room and resume{stays}"
        )


def _header(state: TrainingState) -> tuple[bytes, list[Tensor]]:
    """Return the file's beginning, with a checksum still to be filled in, and its tensors."""
    # Widest elements first, so that every tensor lies at a multiple of its element's size.
    ordered = sorted(state.tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    metadata = {
        "crc32": _NO_CHECKSUM.decode(),  # first, so that its place is the first match
        "format": "pt",
        "step": str(state.step),
        "facts": json.dumps(state.facts),
    }
    entries: dict[str, object] = {"__metadata__": metadata}
    offset = 0
    for name, tensor in ordered:
        entries[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, [tensor for _, tensor in ordered]


def _write(file: BinaryIO, header: bytes, tensors: list[Tensor]) -> None:
    write_all(file, header)
    checksum = zlib.crc32(header)
    for tensor in tensors:
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        content = flat.view(torch.uint8).numpy().data
        write_all(file, content)
        checksum = zlib.crc32(content, checksum)
    file.seek(header.index(_CHECKSUM_KEY) + len(_CHECKSUM_KEY))
    write_all(file, b"%08x" % checksum)


def _read(path: Path) -> TrainingState:
    """Return the checkpoint in `path`; raises `CheckpointError` where any bit of it changed."""
    with path.open("rb") as file:
        size = file.read(8)
        header = file.read(min(int.from_bytes(size, "little"), path.stat().st_size))
        place = header.find(_CHECKSUM_KEY) + len(_CHECKSUM_KEY)
        written = header[place : place + 8]
        unsigned = header[:place] + _NO_CHECKSUM + header[place + 8 :]
        checksum = zlib.crc32(unsigned, zlib.crc32(size))
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    if written != b"%08x" % checksum:
        raise CheckpointError("its checksum does not match")
    metadata = json.loads(header)["__metadata__"]
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(str(error)) from error
    return TrainingState(int(metadata["step"]), tensors, json.loads(metadata["facts"]))
