"""Who is let in: keys, origins, https."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from manyheads.errors import ConfigError
from manyheads.serve.http.guards import read_keys

from .server import serving


def test_keys(folders: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# who\nfirst-key\n\n schlüssel \n", encoding="utf-8")
    options = ["--api-keys", str(file), "--cors", "https://example.org"]
    with serving(folders["vectors"], options=options) as server:
        client = httpx.Client(base_url=server.url, timeout=30)
        asked = {"inputs": "a"}
        for headers in (
            {"Authorization": "Bearer first-key"},
            {"authorization": "bearer first-key"},
            {"X-API-Key": "schlüssel".encode()},
        ):
            assert client.post("/v1/embed", json=asked, headers=headers).status_code == 200
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer first-ke"},
            {"Authorization": "Bearer # who"},
            {"Authorization": "Basic first-key"},
            {"X-API-Key": ""},
        ):
            for path in ("/", "/v1/embed", "/embed", "/encode"):
                answer = client.post(path, json=asked, headers=headers)
                assert answer.status_code == 401, headers
                assert answer.json()["error"]["code"] == "invalid_api_key"
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 401), ("/docs", 401)):
            assert client.get(path).status_code == status
        origin = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
        allowed = client.options("/v1/embed", headers=origin)
        assert allowed.headers["access-control-allow-origin"] == "https://example.org"
        origin["Origin"] = "https://evil.example"
        assert (
            "access-control-allow-origin" not in client.options("/v1/embed", headers=origin).headers
        )


def test_files_of_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as a file of keys"):
        read_keys(tmp_path / "nowhere")
    (tmp_path / "empty").write_text("# nobody\n\n")
    with pytest.raises(ConfigError, match="holds no key"):
        read_keys(tmp_path / "empty")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_https(folders: dict[str, Path], tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 {subject}"
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run((*command.split(), *files), check=True, capture_output=True)
    options = ["--tls-cert", str(certificate), "--tls-key", str(key), "--open-metrics"]
    with serving(folders["vectors"], options=options) as server:
        assert server.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        answer = httpx.get(f"{server.url}/readyz", verify=trusting, timeout=30)
        assert answer.json() == {"status": "ready"}
