"""Downloads: verified, whole or not at all, and a clear word offline; served by this machine."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anomalynet.data import fetch as fetching
from anomalynet.data.fetch import fetch
from anomalynet.data.sources import built_in, digests, lwsndr, nab, skab, smd
from anomalynet.data.sources.digests import manifest
from anomalynet.errors import DataError

FILES = {"single-hop.csv": b"reading,mote_id\n1,1\n", "multi-hop.csv": b"reading,mote_id\n1,2\n"}


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(fetching, "RETRIES", 0)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(digests, "manifest", lambda name: hashes)
    return tmp_path / "data"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve FILES; what was asked for is recorded."""
    served = tmp_path / "served"
    served.mkdir()
    for name, content in FILES.items():
        (served / name).write_bytes(content)
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(
            lwsndr, "url", lambda file: f"http://127.0.0.1:{server.server_port}/{file}"
        )
        yield Handler.asked
        server.shutdown()
        thread.join()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_files_arrive_verified_and_once(home: Path, asked: list[str]) -> None:
    (home / "lwsndr").mkdir(parents=True)
    (home / "lwsndr/single-hop.csv").write_bytes(FILES["single-hop.csv"])
    done = fetch("lwsndr")
    assert (done.folder, done.fetched, done.present) == (home / "lwsndr", 1, 1)
    assert contents(home) == {f"lwsndr/{name}": content for name, content in FILES.items()}
    again = fetch("lwsndr")
    assert (again.fetched, again.present) == (0, 2) and asked == ["/multi-hop.csv"]


def test_another_file_than_the_published_one_is_refused_and_removed(
    home: Path, asked: list[str], tmp_path: Path
) -> None:
    (tmp_path / "served/multi-hop.csv").write_bytes(b"tampered")
    with pytest.raises(DataError, match=r"multi-hop\.csv: refused and removed: SHA-256"):
        fetch("lwsndr")
    assert not (home / "lwsndr").exists()
    assert b"tampered" not in contents(home).values()


def test_an_interrupted_download_is_never_taken_for_the_whole_and_continues(
    home: Path, asked: list[str], tmp_path: Path
) -> None:
    (tmp_path / "served/multi-hop.csv").unlink()
    with pytest.raises(DataError, match="the server answered 404"):
        fetch("lwsndr")
    assert not (home / "lwsndr").exists()
    (tmp_path / "served/multi-hop.csv").write_bytes(FILES["multi-hop.csv"])
    assert fetch("lwsndr").fetched == 2
    assert asked.count("/single-hop.csv") == 1
    assert contents(home) == {f"lwsndr/{name}": content for name, content in FILES.items()}


def test_offline_names_the_url_the_folder_and_the_option(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lwsndr, "url", lambda file: f"http://127.0.0.1:9/{file}")
    with pytest.raises(DataError) as refused:
        fetch("lwsndr")
    assert refused.value.message.startswith("http://127.0.0.1:9/")
    assert "no connection" in refused.value.message
    assert str(home / "lwsndr") in str(refused.value) and "data.root=FOLDER" in str(refused.value)
    assert contents(home) == {} and not (home / "lwsndr").exists()


def test_a_file_of_yours_is_not_overwritten(home: Path, asked: list[str]) -> None:
    (home / "lwsndr").mkdir(parents=True)
    (home / "lwsndr/single-hop.csv").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"single-hop\.csv: not the published file"):
        fetch("lwsndr")
    assert (home / "lwsndr/single-hop.csv").read_bytes() == b"mine" and asked == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ton_iot", r"may not be handed out(.|\n)*research\.unsw\.edu\.au(.|\n)*ton_iot"),
        ("smart_city", "smart_city needs no download"),
        ("skabb", r"did you mean skab"),
    ],
)
def test_what_cannot_be_fetched_says_why(home: Path, name: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        fetch(name)


def test_addresses_are_pinned_to_a_commit() -> None:
    assert skab.url("valve1/0.csv").endswith("/data/valve1/0.csv")
    pinned = [
        source.url(file)
        for source in (skab, nab, smd, lwsndr)
        for file in manifest(source.INFO.name)
    ]
    assert len(pinned) == 35 + 8 + 84 + 2
    for url in pinned:
        assert re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", url)
    assert all(Path(file).stem in lwsndr.url(file) for file in manifest("lwsndr"))


@pytest.mark.parametrize("name", ["nab", "smd"])
def test_a_manifest_names_what_the_source_reads(name: str, tmp_path: Path) -> None:
    hashes = manifest(name)
    for file, digest in hashes.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
        assert re.fullmatch("[0-9a-f]{64}", digest)
    read = built_in()[name].files(tmp_path, None)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in read) == sorted(hashes)
    assert len(set(hashes.values())) == len(hashes)


@pytest.mark.parametrize(("name", "count"), [("skab", 35), ("lwsndr", 2)])
def test_the_hashes_are_those_of_the_real_files(real_data: Path, name: str, count: int) -> None:
    hashes = manifest(name)
    assert len(hashes) == count
    for file, expected in hashes.items():
        assert hashlib.sha256((real_data / name / file).read_bytes()).hexdigest() == expected
