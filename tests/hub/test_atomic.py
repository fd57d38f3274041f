from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import ConfigError
from manyheads.hub.atomic import (
    atomic_file,
    exclusively,
    remove_leftovers,
    replace_files,
    write_atomically,
)


def test_content_replaces_what_was_there(tmp_path: Path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new" * 1_000_000)
    assert path.read_bytes() == b"new" * 1_000_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_exception_leaves_everything_as_it_was(tmp_path: Path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_name_appears_only_when_the_file_is_complete(tmp_path: Path):
    path = tmp_path / "file"
    with atomic_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_leftovers_go_and_nothing_else(tmp_path: Path):
    for name in (".a.1.partial", ".b.2.partial", ".hidden", "file.partial", "file"):
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".hidden", "file", "file.partial"]


def test_files_are_replaced_together_and_the_one_that_vouches_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, fresh = tmp_path / "folder", tmp_path / "fresh"
    for place, content in ((folder, "old"), (fresh, "new")):
        place.mkdir()
        for name in ("a", "manifest", "z"):
            (place / name).write_text(content)
    order: list[str] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        order.append(target.name)
        if target.name == "z":
            assert not (folder / "manifest").exists()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    replace_files(folder, fresh, last="manifest")
    assert order == ["a", "z", "manifest"] or order == ["z", "a", "manifest"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(
        ("a", "manifest", "z"), "new"
    )


def test_files_in_folders_of_the_folder_are_replaced_too(tmp_path: Path):
    folder, fresh = tmp_path / "folder", tmp_path / "fresh"
    for place, content in ((folder, "old"), (fresh, "new")):
        (place / "inner").mkdir(parents=True)
        for name in ("manifest", "inner/a"):
            (place / name).write_text(content)
    replace_files(folder, fresh, last="manifest")
    assert (folder / "inner" / "a").read_text() == (folder / "manifest").read_text() == "new"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigError, match="another process is at work")
    with exclusively(tmp_path), refused, exclusively(tmp_path):
        pass
    with exclusively(tmp_path):
        pass
