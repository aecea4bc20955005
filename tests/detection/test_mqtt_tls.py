"""TLS, certificates and passwords of brokers: who is refused, what is told, no secret astray."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.detection.broker import Broker, Detector, free_port, needs_mosquitto, until

pytestmark = needs_mosquitto


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca`, `other` (authorities), `server`, `client`, `stranger` (signed by ca; of another host):
    .crt and .key."""

    folder = tmp_path_factory.mktemp("certificates")

    def openssl(arguments: str) -> None:
        command = ["openssl", *arguments.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other", "server", "client", "stranger"):
        new = f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key"
        if name in ("ca", "other"):
            openssl(f"{new} -x509 -days 2 -out {name}.crt")
            continue
        openssl(f"{new} -out {name}.csr")
        place = "DNS:elsewhere.example" if name == "stranger" else "IP:127.0.0.1"
        (folder / f"{name}.ext").write_text(f"subjectAltName={place}\n")
        signed = f"-CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext"
        openssl(f"x509 -req -in {name}.csr {signed} -out {name}.crt")
    return folder


@pytest.fixture
def certificates(authorities: Path, tmp_path: Path) -> Path:
    """A copy of them, for a broker to write to."""
    return shutil.copytree(authorities, tmp_path, dirs_exist_ok=True)


SECRET = "s3cret-word"


def secured(folder: Path, server: str = "server") -> tuple[Broker, dict[str, str]]:
    """A broker that wants TLS, a certificate of `client` and a password; the environment that it
    accepts."""
    command = ["mosquitto_passwd", "-b", "-c", str(folder / "passwords"), "me", SECRET]
    subprocess.run(command, check=True, capture_output=True)
    names = {"cafile": "ca.crt", "certfile": f"{server}.crt", "keyfile": f"{server}.key"}
    names["password_file"] = "passwords"
    files: Any = {name: str(folder / file) for name, file in names.items()}
    broker = Broker(folder, allow_anonymous="false", require_certificate="true", **files)
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


@pytest.mark.slow
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
        ({"ANOMALYNET_MQTT_PASSWORD": "wr0ng-word"}, "refuses this client: Not authorized"),
        ({"ANOMALYNET_MQTT_CA": str(certificates / "none.crt")}, "ANOMALYNET_MQTT_CA"),
        ({"ANOMALYNET_MQTT_KEY": str(certificates / "server.key")}, "ANOMALYNET_MQTT_CERT"),
    ]:
        code, out, err = Detector(model, "--mqtt", url, environment=good | change).end(0)
        assert (code, out) == (2, ""), err
        about, _, message = err.partition("\n")
        assert about.startswith("model: tiny r1"), err
        assert told in message and message.count("\n") == 2, err
        assert SECRET not in err and "wr0ng-word" not in err
    broker.kill()
    broker, good = secured(certificates, server="stranger")
    url = f"mqtts://127.0.0.1:{broker.port}/x"
    code, out, err = Detector(model, "--mqtt", url, environment=good).end(0)
    assert (code, out) == (2, "") and "IP address mismatch" in err, err
    broker.kill()


UNTRUSTED = "failed: {where}: its certificate is not trusted"
REFUSED = "refused: {where}: Not authorized"


@pytest.mark.parametrize(
    ("server", "change", "told"),
    [
        ("server", {"ANOMALYNET_MQTT_CA": "other.crt"}, UNTRUSTED),
        ("stranger", {}, f"{UNTRUSTED}: IP address mismatch"),
        ("server", {"ANOMALYNET_ALARMS_PASSWORD": "wr0ng-word"}, REFUSED),
        ("server", {"ANOMALYNET_ALARMS_USERNAME": ""}, REFUSED),
    ],
)
def test_a_broker_of_alarms_that_cannot_be_used_is_told(
    certificates: Path, model: Path, server: str, change: dict[str, str], told: str
) -> None:
    broker, good = secured(certificates, server)
    good |= {"ANOMALYNET_ALARMS_USERNAME": "me", "ANOMALYNET_ALARMS_PASSWORD": SECRET}
    for name, text in change.items():
        good[name] = str(certificates / text) if name.endswith("CA") else text
    metrics, target = free_port(), f"mqtts://127.0.0.1:{broker.port}/alarms"
    options = ("--follow", "-", "--alarms", target, "--metrics", metrics)
    detector = Detector(model, *options, environment=good, feed=True)
    until(lambda: "connection for alarms" in get(metrics, "metrics"), "the refusal is counted")
    assert SECRET not in get(metrics, "metrics")
    code, out, err = detector.end()
    assert (code, out) == (0, ""), err
    where = f"127.0.0.1:{broker.port}"
    assert f"connection for alarms {told.format(where=where)}" in err
    assert SECRET not in err and "wr0ng-word" not in err
    broker.kill()
