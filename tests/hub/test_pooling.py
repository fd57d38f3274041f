from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.core.spec import Pooling
from manyheads.errors import ConfigError
from manyheads.hub.pooling import published_pooling


def folder(tmp_path: Path, settings: str) -> Path:
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(settings)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, Pooling.MEAN),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, Pooling.FIRST),
        ({"pooling_mode": "mean"}, Pooling.MEAN),
        ({"pooling_mode": "cls"}, Pooling.FIRST),
        ({"pooling_mode_max_tokens": True}, None),
    ],
)
def test_old_and_new_settings(
    tmp_path: Path, settings: dict[str, object], expected: Pooling | None
) -> None:
    assert published_pooling(folder(tmp_path, json.dumps(settings))) is expected


def test_a_plain_folder_says_nothing(tmp_path: Path) -> None:
    assert published_pooling(tmp_path) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"1_Pooling.config\.json is not valid JSON"):
        published_pooling(folder(tmp_path, "{"))
