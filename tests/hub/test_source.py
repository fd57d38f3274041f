"""Where a model reference leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import ReferenceNotFound
from manyheads.hub import load_model, locate


def refusal(reference: str) -> str:
    """The message of the refusal, which fits one line."""
    with pytest.raises(ReferenceNotFound) as caught:
        locate(reference)
    message = str(caught.value)
    assert "\n" not in message
    assert reference in message
    return message


def test_a_folder_is_where_it_is(tmp_path: Path) -> None:
    assert locate(tmp_path) == tmp_path
    assert locate(str(tmp_path)) == tmp_path


def test_a_relative_path_counts_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate("models/mine").resolve() == tmp_path / "models" / "mine"
    assert locate("./models/mine").resolve() == tmp_path / "models" / "mine"


def test_a_path_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    assert locate("~/mine") == tmp_path / "mine"


def test_a_folder_goes_before_a_hub_id_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert locate("owner/name") == Path("owner/name")


def test_a_package_reference_leads_into_the_package(minilm: str) -> None:
    folder = locate(minilm)
    assert (folder / "config.json").is_file()
    assert (folder / "model.safetensors").is_file()


def test_nothing_of_a_package_is_run_to_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weights_in_a_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('this must not run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert locate("package:weights_in_a_package/inner") == package / "inner"


@pytest.mark.parametrize("name", ["no_such_package_here", "not a name", "", "a.b"])
def test_a_package_that_is_not_installed(name: str) -> None:
    assert "not installed" in refusal(f"package:{name}/model")


def test_the_remedy_is_the_command_that_installs_it() -> None:
    assert "pip install no-such-package" in refusal("package:no_such_package/model")


def test_a_wrong_path_inside_a_package_lists_the_folders(minilm: str) -> None:
    message = refusal(minilm.replace("/model", "/modle"))
    assert "'modle'" in message
    assert "model" in message.split("it has the folders")[1]


@pytest.mark.parametrize("reference", ["./nowhere", "/no/such/folder", "a/b/c", "nowhere", "a b/c"])
def test_what_is_neither_folder_nor_package_nor_hub_id(reference: str) -> None:
    assert "there is no such folder" in refusal(reference)


@pytest.mark.parametrize("reference", ["nobody/nothing", "nobody/nothing@v1.0", "models/mine"])
def test_a_hub_id_without_a_connection(reference: str) -> None:
    message = refusal(reference)
    assert "could not be fetched from the Hub" in message
    assert "give a folder or package:NAME/PATH" in message


def test_loading_says_the_same(tmp_path: Path) -> None:
    with pytest.raises(ReferenceNotFound, match="there is no such folder"):
        load_model(tmp_path / "nowhere")
