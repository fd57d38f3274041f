"""Workers are processes of the package under test, as small as it is."""

from __future__ import annotations

import pytest
from tests import tiny


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tiny.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
