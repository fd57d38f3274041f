"""Reading weights: every published form, and every way to be damaged."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from torch import Tensor

from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub.checkpoint import read_config, read_weights, write_weights

from . import folder as small


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert sorted(found) == sorted(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_weights(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_one_safetensors_file(tmp_path: Path) -> None:
    assert_same(read_weights(small.write(tmp_path)), small.tensors())


def _bytes_of_files() -> int:
    """How much of all mapped files this process holds in memory."""
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("RssFile"))
    return 1024 * int(kilobytes)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is asked of Linux")
def test_what_is_let_go_of_leaves_memory_while_the_rest_stays(tmp_path: Path) -> None:
    write_weights(tmp_path, {f"{n:02}": torch.ones(512, 512) for n in range(64)})
    before = _bytes_of_files()
    tensors = read_weights(tmp_path)
    assert all(tensor.sum() == 512 * 512 for tensor in tensors.values())
    assert _bytes_of_files() - before > 60 * 2**20
    for n in range(48):
        del tensors[f"{n:02}"]
    assert _bytes_of_files() - before < 30 * 2**20


def test_sharded_safetensors(tmp_path: Path) -> None:
    assert_same(read_weights(small.write_shards(tmp_path)), small.tensors())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip format", "format before 2020"])
def test_pytorch_model_bin(tmp_path: Path, zipped: bool) -> None:
    torch.save(
        small.tensors(), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=zipped
    )
    assert_same(read_weights(tmp_path), small.tensors())


def test_sharded_pytorch_model_bin(tmp_path: Path) -> None:
    weights = small.tensors()
    where = {n: f"pytorch_model-0000{i % 2 + 1}-of-00002.bin" for i, n in enumerate(weights)}
    for shard in set(where.values()):
        torch.save({n: t for n, t in weights.items() if where[n] == shard}, tmp_path / shard)
    index = json.dumps({"weight_map": where})
    (tmp_path / "pytorch_model.bin.index.json").write_text(index)
    assert_same(read_weights(tmp_path), weights)


def test_safetensors_go_before_pickles(tmp_path: Path) -> None:
    small.write(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    assert_same(read_weights(tmp_path), small.tensors())


class Malicious:
    """Unpickling this writes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("how", ["torch zip", "torch legacy", "bare pickle"])
def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path: Path, how: str) -> None:
    trace, path = tmp_path / "it ran", tmp_path / "pytorch_model.bin"
    content = small.tensors() | {"evil": Malicious(trace)}
    if how == "bare pickle":
        path.write_bytes(pickle.dumps({"evil": Malicious(trace)}, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch zip")
    message = refusal(tmp_path)
    assert "pytorch_model.bin" in message
    assert not trace.exists()
    if how != "bare pickle":
        assert "holds more than weights" in message
        torch.load(path, weights_only=False)
        assert trace.exists(), "the pickle was harmless, so that this test proved nothing"


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_file_cut_short_is_named(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    if path.suffix == ".bin":
        torch.save(small.tensors(), path)
    else:
        write_weights(tmp_path, small.tensors())
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    message = refusal(tmp_path)
    assert name in message
    assert "damaged or cut short" in message


@pytest.mark.parametrize(
    "content",
    [
        b"version spec/v1\noid sha256:0\nsize 9\n",
        b"<html>404</html>",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
    ],
    ids=["lfs pointer", "html", "giant header", "header of another kind"],
)
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in refusal(tmp_path)


@pytest.mark.parametrize("content", [[torch.zeros(2)], torch.zeros(2), 5])
def test_a_pickle_without_names_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "pytorch_model.bin")
    assert "pytorch_model.bin" in refusal(tmp_path)


def test_missing_shards_are_listed(tmp_path: Path) -> None:
    small.write_shards(tmp_path, shards=3)
    for number in (1, 3):
        (tmp_path / f"model-{number:05}-of-00003.safetensors").unlink()
    message = refusal(tmp_path)
    assert "lacks 2 of the 3 shards" in message
    assert "model-00001-of-00003.safetensors, model-00003-of-00003.safetensors" in message


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {}}'])
def test_a_damaged_index_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json" in refusal(tmp_path)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    message = refusal(small.write_config(tmp_path))
    assert "holds no weights; expected model.safetensors" in message


def test_a_missing_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config.json"):
        read_config(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00", b"NaN,"])
def test_a_configuration_that_is_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config.json is not valid JSON") as caught:
        read_config(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ConfigError, match="holds no JSON object"):
        read_config(tmp_path)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    weights = small.tensors() | {"strided": torch.randn(6, 4).T, "half": torch.randn(3).bfloat16()}
    write_weights(tmp_path, weights)
    assert_same(read_weights(tmp_path), weights)


def test_weights_that_share_memory_are_written_each(tmp_path: Path) -> None:
    tied = torch.randn(4, 4)
    weights = {"one": tied, "other": tied, "part": tied[:2]}
    write_weights(tmp_path, weights)
    assert_same(read_weights(tmp_path), weights)


def test_the_file_that_was_read_may_be_written_over(tmp_path: Path) -> None:
    """Tensors that were read may still lie in the file itself."""
    write_weights(tmp_path, {"big": torch.arange(100_000.0), "cut": torch.ones(5)})
    weights = read_weights(tmp_path)
    write_weights(tmp_path, {"big": weights["big"]})
    assert torch.equal(weights["big"], torch.arange(100_000.0))
    assert torch.equal(weights["cut"], torch.ones(5))
    assert_same(read_weights(tmp_path), {"big": torch.arange(100_000.0)})
