"""Names and certificates of servers that speak TLS."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
from source_server import redirect, reply, source_server

from mill_common.errors import SourceRefused
from mill_common.outgoing import AddressRefused, Limits, Outgoing, SourceUnreachable, parse_networks

LOOPBACK = parse_networks("127.0.0.0/8")


def _body(outgoing: Outgoing, url: str, redirects: int = 0) -> bytes:
    with outgoing.open(url, redirects=redirects) as response:
        return b"".join(response.iter_raw())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for media.example that vouches for itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    names = ["-subj", "/CN=media.example", "-addext", "subjectAltName=DNS:media.example"]
    certificate = path.with_name("certificate.pem")
    command = ["openssl", "req", "-x509", *key, *names, "-days", "2", "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + certificate.read_text())
    return path


def _certified(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    return context


def _trusting(authority: Path) -> Outgoing:
    tls = ssl.create_default_context(cafile=str(authority))
    return Outgoing(networks=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"], tls=tls)


def test_tls_asks_for_the_name_in_the_url(authority: Path) -> None:
    with source_server(reply(b"clip"), certificate=_certified(authority)) as server:
        assert _body(_trusting(authority), f"https://media.example:{server.port}/") == b"clip"
        assert server.names == ["media.example"]
        assert server.header("Host") == f"media.example:{server.port}"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(host: str, authority: Path) -> None:
    with source_server(reply(b"clip"), certificate=_certified(authority)) as server:
        with pytest.raises(SourceRefused, match="certificate"):
            _body(_trusting(authority), f"https://{host}:{server.port}/?hush")
        assert server.heads == []


def test_a_certificate_that_nobody_vouches_for_is_refused(authority: Path) -> None:
    with source_server(reply(b"clip"), certificate=_certified(authority)) as server:
        outgoing = Outgoing(networks=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
        with pytest.raises(SourceRefused, match="certificate"):
            _body(outgoing, f"https://media.example:{server.port}/")


def test_a_redirect_from_https_to_http_is_refused(authority: Path) -> None:
    with (
        source_server(reply(b"plain")) as plain,
        source_server(redirect(plain.url), certificate=_certified(authority)) as server,
    ):
        with pytest.raises(AddressRefused, match="from https to http"):
            _body(_trusting(authority), f"https://media.example:{server.port}/", redirects=5)
        assert plain.connections == 0


def test_a_redirect_from_http_to_https_is_followed(authority: Path) -> None:
    with (
        source_server(reply(b"clip"), certificate=_certified(authority)) as server,
        source_server(redirect(f"https://media.example:{server.port}/")) as plain,
    ):
        assert _body(_trusting(authority), plain.url, redirects=5) == b"clip"


def test_a_server_that_does_not_answer_the_handshake_is_given_up() -> None:
    with source_server(reply(b"plain")) as server:  # it waits for the end of a request, which a handshake never is
        outgoing = Outgoing(networks=LOOPBACK, limits=Limits(connect_s=0.3))
        with pytest.raises(SourceUnreachable, match="did not answer in time"):
            _body(outgoing, f"https://127.0.0.1:{server.port}/")
