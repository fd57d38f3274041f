"""What the image runs, without an image: its commands are real, and so is the model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests import tiny
from tests.serve import models
from tests.serve.http.server import serving

ROOT = Path(__file__).parent.parent
yaml = pytest.importorskip("yaml")


@pytest.fixture(scope="module")
def dockerfile() -> dict[str, str]:
    """The last of each instruction, its lines joined."""
    path = ROOT / "Dockerfile"
    if not path.is_file():
        pytest.skip("the Dockerfile is no part of an installed package")
    text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    instructions = re.sub(r"\\\n\s*", "", text).splitlines()
    return dict(one.split(" ", 1) for one in instructions if one)


def compose() -> dict[str, Any]:
    said = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return said["services"]["manyheads"]


def test_its_commands_serve_a_model_and_say_whether_it_is_well(
    dockerfile: dict[str, str], tmp_path: Path
) -> None:
    program, command, *options = json.loads(dockerfile["ENTRYPOINT"])
    assert (program, command) == ("manyheads", "serve")
    assert json.loads(dockerfile["CMD"]) == [dockerfile["VOLUME"]]
    volume, *others = compose()["command"]
    reference = volume.replace(dockerfile["VOLUME"], str(models.embedder(tmp_path / "model")))
    with serving(reference, options=[*options, *others]) as server:
        port = server.url.rpartition(":")[2]
        assert server.url == f"http://0.0.0.0:{port}"
        python, *said = json.loads(dockerfile["HEALTHCHECK"].partition("CMD ")[2])
        assert python == "python" and f":{dockerfile['EXPOSE']}/readyz" in said[1]
        said[1] = said[1].replace(f":{dockerfile['EXPOSE']}/", f":{port}/")
        check = (sys.executable, *said)
        assert subprocess.run(check, env=tiny.ENVIRONMENT).returncode == 0
        assert server.end() == 0
        assert subprocess.run(check, capture_output=True).returncode == 1


def test_it_has_no_rights_and_installs_what_there_is(dockerfile: dict[str, str]) -> None:
    assert int(dockerfile["USER"]) > 0
    assert compose()["volumes"] == [f"./reviews-model:{dockerfile['VOLUME']}:ro"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert {"serve", "telemetry"} <= set(extras.split(",")) <= set(project["optional-dependencies"])
