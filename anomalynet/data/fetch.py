"""Verified downloads: a pinned commit, a SHA-256 a file, and nothing half done."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalynet.data.folder import data_folder
from anomalynet.data.sources import built_in, digests, info
from anomalynet.errors import DataError, say, terminal
from anomalynet.runs.files import sha256

RETRIES = 2
TIMEOUT = 30.0  # seconds without an answer after which a download has failed


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a data set's files are, how many came now, and how many were there and verified."""

    folder: Path
    fetched: int
    present: int


def fetch(name: str) -> Fetched:
    """Download a data set into the data folder, unless its files are there already.

    Files arrive in a hidden folder beside their place and move only when all are verified, so that
    no part of a data set is ever taken for the whole; an interrupted download continues. Progress
    goes to stderr.
    Raises DataError: nothing to fetch, no connection, a file that is not the published one, or one
    of yours in the way."""
    about = info(name)
    folder = data_folder() / name
    source = built_in().get(name)
    url = getattr(source, "url", None)
    if about.by_hand:
        raise DataError(
            f"{name} may not be handed out by this program",
            f"{about.by_hand} to {folder}; or name their folder: data.root=FOLDER",
        )
    if url is None or source is None:
        raise DataError(f"{name} needs no download", f"anomalynet data info {name}")
    if not (hashes := digests.manifest(name)):
        what = f"{name}: there is no list of its files and their SHA-256"
        raise DataError(what, f"write {name}.sha256 beside the source's module")
    missing = [file for file in hashes if not _verified(folder / file, hashes[file])]
    if missing:
        _download(name, folder, {file: url(file) for file in missing}, hashes)
    return Fetched(folder, len(missing), len(hashes) - len(missing))


def _verified(path: Path, digest: str) -> bool:
    if not path.exists():
        return False
    if sha256(path) != digest:
        raise DataError(
            f"{path}: not the published file, SHA-256 differs",
            "move it away and fetch again, or use it as it is with data.root=FOLDER",
        )
    return True


def _download(name: str, folder: Path, urls: Mapping[str, str], hashes: Mapping[str, str]) -> None:
    import pooch
    from filelock import FileLock

    staging = folder.with_name(f".{name}.partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("ERROR")
    with FileLock(folder.with_name(f".{name}.lock")):
        wanted = {file: hashes[file] for file in urls}
        shelf = pooch.create(
            staging, base_url="", registry=wanted, urls=dict(urls), retry_if_failed=RETRIES
        )
        downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
        try:
            with _progress(urls, name) as files:
                for file in files:
                    _get(shelf, downloader, file, urls[file], folder)
        except BaseException:
            if not any(map(Path.is_file, staging.rglob("*"))):  # else the next attempt goes on
                shutil.rmtree(staging, ignore_errors=True)
            raise
        for file in urls:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (staging / file).replace(folder / file)
        shutil.rmtree(staging)


def _get(shelf: Any, downloader: Any, file: str, url: str, folder: Path) -> None:
    import requests

    try:
        shelf.fetch(file, downloader=downloader)
    except requests.RequestException as error:
        answer = error.response
        why = "no connection" if answer is None else f"the server answered {answer.status_code}"
        raise DataError(
            f"{url}: {why}",
            f"put the files into {folder} by hand ({file} and so on), or name the folder that "
            "holds them: data.root=FOLDER",
        ) from error
    except ValueError as error:
        what = f"{url}: refused and removed: SHA-256 is not that of the published file"
        raise DataError(what, "try again later, or report it") from error
    except OSError as error:
        what = f"{folder}: cannot be written: {error.strerror}"
        raise DataError(what, "choose another data folder with ANOMALYNET_DATA") from error


@contextmanager
def _progress(files: Iterable[str], name: str) -> Iterator[Iterable[str]]:
    from rich.console import Console
    from rich.progress import Progress

    listed = list(files)
    if not sys.stderr.isatty():
        say(f"fetching {len(listed)} files of {name}")
        yield listed
        return
    with Progress(console=Console(file=terminal(sys.stderr)), transient=True) as progress:
        yield progress.track(listed, description=f"fetching {name}")
