"""TLS, certificates and passwords of brokers: who is refused, what is told, and no secret
astray."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.detection.broker import Broker, Detector, free_port, needs_mosquitto, until

pytestmark = needs_mosquitto


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """`ca`, `other` (authorities), `server`, `client`, `stranger` (signed by ca; of another host):
    .crt and .key."""

    def openssl(*arguments: object) -> None:
        subprocess.run(
            ["openssl", *map(str, arguments)], cwd=tmp_path, check=True, capture_output=True
        )

    for name in ("ca", "other", "server", "client", "stranger"):
        new = (
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
        )
        if name in ("ca", "other"):
            openssl(*new, "-x509", "-days", 2, "-out", f"{name}.crt")
            continue
        openssl(*new, "-out", f"{name}.csr")
        place = "DNS:elsewhere.example" if name == "stranger" else "IP:127.0.0.1"
        (tmp_path / f"{name}.ext").write_text(f"subjectAltName={place}\n")
        signed = (
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            2,
            "-extfile",
            f"{name}.ext",
        )
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.crt")
    return tmp_path


SECRET = "s3cret-word"


def secured(folder: Path, server: str = "server") -> tuple[Broker, dict[str, str]]:
    """A broker that wants TLS, a certificate of `client` and a password; the environment that it
    accepts."""
    passwords = folder / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "me", SECRET],
        check=True,
        capture_output=True,
    )
    broker = Broker(
        folder,
        allow_anonymous="false",
        password_file=str(passwords),
        cafile=str(folder / "ca.crt"),
        certfile=str(folder / f"{server}.crt"),
        keyfile=str(folder / f"{server}.key"),
        require_certificate="true",
    )
    return broker, {
        "ANOMALYNET_MQTT_USERNAME": "me",
        "ANOMALYNET_MQTT_PASSWORD": SECRET,
        "ANOMALYNET_MQTT_CA": str(folder / "ca.crt"),
        "ANOMALYNET_MQTT_CERT": str(folder / "client.crt"),
        "ANOMALYNET_MQTT_KEY": str(folder / "client.key"),
    }


def get(port: int, path: str) -> str:
    """Body of an answer; empty where there is none yet, or an error."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
            return str(answer.read(), "utf-8")
    except OSError:
        return ""


def test_tls_with_certificates_and_a_password(certificates: Path, model: Path) -> None:
    broker, good = secured(certificates)
    url, metrics = f"mqtts://127.0.0.1:{broker.port}/x", free_port()
    detector = Detector(model, "--mqtt", url, "--metrics", metrics, environment=good)
    until(lambda: get(metrics, "healthz"), "the detector is healthy")
    assert SECRET not in get(metrics, "healthz")
    assert "anomalynet_connected 1.0" in (told := get(metrics, "metrics"))
    assert SECRET not in told
    code, out, err = detector.end()
    assert code == 0, err
    assert SECRET not in out + err

    for change, told in [
        ({"ANOMALYNET_MQTT_CA": str(certificates / "other.crt")}, "its certificate is not trusted"),
        ({"ANOMALYNET_MQTT_PASSWORD": "wr0ng-word"}, "it refuses this client: Not authorized"),
        ({"ANOMALYNET_MQTT_CA": str(certificates / "none.crt")}, "ANOMALYNET_MQTT_CA"),
        ({"ANOMALYNET_MQTT_KEY": str(certificates / "server.key")}, "ANOMALYNET_MQTT_CERT"),
    ]:
        code, out, err = Detector(model, "--mqtt", url, environment=good | change).end(0)
        assert (code, out) == (2, ""), err
        assert told in err
        assert err.count("\n") == 2, err
        assert SECRET not in err
        assert "wr0ng-word" not in err
    broker.kill()


def test_a_broker_of_another_name_is_refused(certificates: Path, model: Path) -> None:
    broker, good = secured(certificates, server="stranger")
    code, out, err = Detector(
        model, "--mqtt", f"mqtts://127.0.0.1:{broker.port}/x", environment=good
    ).end(0)
    assert (code, out) == (2, ""), err
    assert "IP address mismatch" in err
    broker.kill()


@pytest.mark.parametrize(
    ("server", "change", "told"),
    [
        (
            "server",
            {"ANOMALYNET_MQTT_CA": "other.crt"},
            "connection for alarms failed: {where}: its certificate is not trusted",
        ),
        (
            "stranger",
            {},
            "connection for alarms failed: {where}: its certificate is not trusted: IP address "
            "mismatch",
        ),
        (
            "server",
            {"ANOMALYNET_ALARMS_PASSWORD": "wr0ng-word"},
            "connection for alarms refused: {where}: Not authorized",
        ),
        (
            "server",
            {"ANOMALYNET_ALARMS_USERNAME": ""},
            "connection for alarms refused: {where}: Not authorized",
        ),
    ],
)
def test_a_broker_of_alarms_that_cannot_be_used_is_told(
    certificates: Path, model: Path, server: str, change: dict[str, str], told: str
) -> None:
    broker, good = secured(certificates, server)
    alarms = {"ANOMALYNET_ALARMS_USERNAME": "me", "ANOMALYNET_ALARMS_PASSWORD": SECRET}
    environment = (
        good
        | alarms
        | {
            name: str(certificates / text) if name.endswith("CA") else text
            for name, text in change.items()
        }
    )
    metrics = free_port()
    target = f"mqtts://127.0.0.1:{broker.port}/alarms"
    detector = Detector(
        model,
        "--follow",
        "-",
        "--alarms",
        target,
        "--metrics",
        metrics,
        environment=environment,
        feed=True,
    )
    until(lambda: "connection for alarms" in get(metrics, "metrics"), "the refusal is counted")
    assert SECRET not in get(metrics, "metrics")
    code, out, err = detector.end()
    assert (code, out) == (0, ""), err
    assert told.format(where=f"127.0.0.1:{broker.port}") in err
    assert SECRET not in err
    assert "wr0ng-word" not in err
    broker.kill()
