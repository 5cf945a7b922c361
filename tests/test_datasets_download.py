"""The download of the TIMIT sample, against a server on loopback; nothing here touches the network."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from sklearn_gass.datasets import _download, _timit, fetch_timit_sample

FOLDERS = [
    *("dr1-fvmh0", "dr1-mcpm0", "dr2-faem0", "dr2-marc0", "dr3-falk0"),
    *("dr3-madc0", "dr4-falr0", "dr4-maeb0", "dr5-ftlg0", "dr5-mbgt0", "dr6-fapb0"),
]
SENTENCES = ["sa1", "sa2", "si1", "si2", "si3", "sx10", "sx11", "sx12", "sx13", "sx14"]


@pytest.fixture(scope="module")
def archive_bytes() -> bytes:
    """A zip laid out as the real one, with other files and hostile paths among the recordings."""
    rng = np.random.default_rng(0)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in FOLDERS:
            for sentence in SENTENCES:
                wave = io.BytesIO()
                soundfile.write(wave, rng.uniform(-0.5, 0.5, 200), 16000, format="NIST", subtype="PCM_16")
                archive.writestr(f"timit/{folder}/{sentence}.wav", wave.getvalue())
                archive.writestr(f"timit/{folder}/{sentence}.txt", f"0 200 Sentence {sentence}, read aloud.\n")
                archive.writestr(f"timit/{folder}/{sentence}.phn", "0 200 h#\n")
        for path in ("timit/README", "../sa1.wav", "timit/dr1-fvmh0/../../../sa1.wav", "/tmp/timit/dr1-fvmh0/sa1.wav"):
            archive.writestr(path, "not wanted")
    return content.getvalue()


class Server:
    """Serves one file; `script` tells how each request in turn is answered, "whole" when it runs out."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.script: list[str | int] = []
        self.ranges: list[str | None] = []
        self.ranges_supported = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._httpd.server_port}/timit.zip"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        step = self.script.pop(0) if self.script else "whole"
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if isinstance(step, int):
            request.send_error(step)
            return
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges_supported else 0
        body = self.content[first:]
        request.send_response(206 if first else 200)
        if first:
            total = len(self.content)
            shift = 1 if step == "wrong range" else 0
            request.send_header("Content-Range", f"bytes {first + shift}-{total - 1}/{total}")
        if step != "endless":
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if step == "cut":
            body = body[: len(body) // 2]
        elif step == "garbage":
            body = bytes(len(body))
        elif step == "endless":
            body += body
        request.wfile.write(body)

    def close(self) -> None:
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()


@pytest.fixture
def server(archive_bytes, monkeypatch):
    monkeypatch.delenv("SKLEARN_GASS_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(archive_bytes)
    digest = hashlib.md5(archive_bytes, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(_timit, "_ARCHIVE", _download.Archive(server.url, len(archive_bytes), digest))
    yield server
    server.close()


def leftovers(folder):
    """Names in a data folder other than the data and the lock."""
    return {path.name for path in folder.iterdir()} - {"timit", ".timit.lock"}


def test_first_call_downloads_and_later_ones_do_not(server, tmp_path):
    data = fetch_timit_sample(data_home=tmp_path / "new" / "home")
    assert len(data.utterances) == 100
    assert data.groups[1] == "faem0/sa2"
    assert data.sentences[0] == "Sentence sa1, read aloud."
    assert leftovers(tmp_path / "new" / "home") == set()
    fetch_timit_sample(data_home=str(tmp_path / "new" / "home"), download_if_missing=False)
    assert server.ranges == [None]


def test_subset_all_has_every_speaker(server, tmp_path):
    assert np.unique(fetch_timit_sample(data_home=tmp_path, subset="all").speakers).size == 11
    utterances, speakers = fetch_timit_sample(data_home=tmp_path, return_X_y=True)
    assert len(utterances) == len(speakers) == 100
    assert len(server.ranges) == 1


def test_default_data_home_is_a_subfolder_of_scikit_learns(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    fetch_timit_sample()
    assert (tmp_path / "sklearn_gass" / "timit" / "dr1-fvmh0" / "sa1.wav").is_file()


def test_unpacks_recordings_and_transcripts_only(server, tmp_path):
    fetch_timit_sample(data_home=tmp_path / "home")
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    files.discard("home/.timit.lock")
    wanted = {f"home/timit/{folder}/{sentence}" for folder in FOLDERS for sentence in SENTENCES}
    assert files == {name + suffix for name in wanted for suffix in (".wav", ".txt")}


def test_interrupted_download_is_resumed(server, tmp_path):
    server.script = ["cut", "cut"]
    assert len(fetch_timit_sample(data_home=tmp_path, delay=0).utterances) == 100
    size = len(server.content)
    assert server.ranges == [None, f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]


def test_next_call_resumes_what_the_last_one_left(server, tmp_path):
    server.script = ["cut"]
    with pytest.raises(OSError, match=r"Could not download .* in 1 attempt.* ended after \d+ of \d+ bytes"):
        fetch_timit_sample(data_home=tmp_path, n_retries=0)
    assert leftovers(tmp_path) == {"timit.zip.part"}
    fetch_timit_sample(data_home=tmp_path, n_retries=0)
    assert server.ranges == [None, f"bytes={len(server.content) // 2}-"]
    assert leftovers(tmp_path) == set()


def test_server_without_range_support(server, tmp_path):
    server.script = ["cut"]
    server.ranges_supported = False
    assert len(fetch_timit_sample(data_home=tmp_path, delay=0).utterances) == 100
    assert len(server.ranges) == 2


@pytest.mark.parametrize("size", [1000, "whole", "longer"])
def test_corrupt_partial_file_is_discarded(server, tmp_path, size):
    length = {"whole": len(server.content), "longer": len(server.content) + 5}.get(size, size)
    (tmp_path / "timit.zip.part").write_bytes(b"x" * length)
    assert len(fetch_timit_sample(data_home=tmp_path, delay=0).utterances) == 100
    assert server.ranges[-1] is None


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs links that opening can refuse to follow")
class TestPlantedLinks:
    """What someone else puts into a shared data folder must not lead a download to other files."""

    @pytest.mark.parametrize("link", [os.symlink, os.link])
    def test_unfinished_file(self, server, tmp_path, link):
        victim, home = tmp_path / "precious", tmp_path / "home"
        victim.write_bytes(server.content[:1000])
        home.mkdir()
        link(victim, home / "timit.zip.part")
        server.script = ["cut"]
        assert len(fetch_timit_sample(data_home=home, delay=0).utterances) == 100
        assert victim.read_bytes() == server.content[:1000]
        assert server.ranges[0] is None

    def test_link_to_a_file_that_does_not_exist(self, server, tmp_path):
        (tmp_path / "home").mkdir()
        os.symlink(tmp_path / "new", tmp_path / "home" / "timit.zip.part")
        fetch_timit_sample(data_home=tmp_path / "home")
        assert not (tmp_path / "new").exists()

    def test_link_put_there_while_the_server_answers(self, server, tmp_path, monkeypatch):
        victim = tmp_path / "precious"
        victim.write_text("precious")

        def plant(response, start):
            os.symlink(victim, tmp_path / "home" / "timit.zip.part")
            return False

        monkeypatch.setattr(_download, "_is_resumed", plant)
        with pytest.raises(OSError, match="Could not download"):
            fetch_timit_sample(data_home=tmp_path / "home", n_retries=0)
        assert victim.read_text() == "precious"

    def test_lock(self, server, tmp_path):
        victim, home = tmp_path / "precious", tmp_path / "home"
        victim.write_text("precious")
        home.mkdir()
        os.symlink(victim, home / ".timit.lock")
        with pytest.raises(OSError, match=r"\.timit\.lock"):
            fetch_timit_sample(data_home=home)
        assert victim.read_text() == "precious"
        assert server.ranges == []


@pytest.mark.parametrize("step", ["garbage", "endless"])
def test_wrong_content_is_refused(server, tmp_path, step):
    server.script = [step, step]
    with pytest.raises(OSError, match="wrong size or checksum"):
        fetch_timit_sample(data_home=tmp_path, n_retries=1, delay=0)
    assert server.ranges == [None, None]
    assert leftovers(tmp_path) == set()
    assert not (tmp_path / "timit").exists()


@pytest.mark.parametrize("step", [500, 503, 429, 416, "garbage", "cut"])
def test_trouble_then_success(server, tmp_path, step):
    server.script = [step]
    (tmp_path / "timit.zip.part").write_bytes(server.content[:1000])
    assert len(fetch_timit_sample(data_home=tmp_path, n_retries=1, delay=0).utterances) == 100
    assert len(server.ranges) == 2


def test_answer_with_another_range_is_refused(server, tmp_path):
    server.script = ["cut", "wrong range"]
    assert len(fetch_timit_sample(data_home=tmp_path, delay=0).utterances) == 100
    assert len(server.ranges) == 3


def test_delay_grows_and_retries_end(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(_download.time, "sleep", waits.append)
    server.script = [503] * 10
    with pytest.raises(OSError, match=r"in 4 attempt.*503"):
        fetch_timit_sample(data_home=tmp_path, n_retries=3, delay=0.5)
    assert waits == [0.5, 1.0, 2.0]


def test_missing_page_is_not_tried_again(server, tmp_path):
    server.script = [404] * 10
    with pytest.raises(OSError, match=r"in 1 attempt.*404"):
        fetch_timit_sample(data_home=tmp_path)


def test_unreachable_server(server, tmp_path):
    server.close()
    with pytest.raises(OSError, match="Could not download"):
        fetch_timit_sample(data_home=tmp_path, n_retries=1, delay=0)


def test_archive_put_there_by_hand_needs_no_server(server, tmp_path):
    (tmp_path / "timit.zip").write_bytes(server.content)
    assert len(fetch_timit_sample(data_home=tmp_path).utterances) == 100
    assert server.ranges == []


def test_calls_at_once_download_once(server, tmp_path):
    server.script = ["cut"]
    results, start = [], threading.Barrier(4)

    def fetch() -> None:
        start.wait()
        results.append(len(fetch_timit_sample(data_home=tmp_path, delay=0.05).utterances))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [100] * 4
    assert len(server.ranges) == 2
    assert leftovers(tmp_path) == set()


def test_missing_with_downloads_off_names_folder_and_variable(server, tmp_path):
    with pytest.raises(OSError, match="SKLEARN_GASS_DATA") as caught:
        fetch_timit_sample(data_home=tmp_path / "home", download_if_missing=False)
    assert str(tmp_path / "home") in str(caught.value)
    assert server.ranges == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("folder", ["", "timit"])
def test_environment_variable_comes_first(server, tmp_path, monkeypatch, folder):
    fetch_timit_sample(data_home=tmp_path / "there")
    monkeypatch.setenv("SKLEARN_GASS_DATA", str(tmp_path / "there" / folder))
    data = fetch_timit_sample(data_home=tmp_path / "elsewhere", download_if_missing=False)
    assert data.filenames[0].startswith(str(tmp_path / "there"))


def test_environment_variable_without_data_is_passed_over(server, tmp_path, monkeypatch):
    fetch_timit_sample(data_home=tmp_path / "home")
    monkeypatch.setenv("SKLEARN_GASS_DATA", str(tmp_path))
    assert fetch_timit_sample(data_home=tmp_path / "home").filenames[0].startswith(str(tmp_path / "home"))
    with pytest.raises(OSError, match=r"SKLEARN_GASS_DATA \(.+\)"):
        fetch_timit_sample(data_home=tmp_path / "other", download_if_missing=False)


def test_incomplete_folder_is_neither_used_nor_overwritten(server, tmp_path):
    fetch_timit_sample(data_home=tmp_path)
    (tmp_path / "timit" / "dr1-fvmh0" / "sa1.wav").unlink()
    with pytest.raises(OSError, match="lacks some files"):
        fetch_timit_sample(data_home=tmp_path)
    assert (tmp_path / "timit" / "dr1-fvmh0" / "sa2.wav").is_file()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("sa1.wav", b"not a sound", "not a readable recording"),
        ("sa1.wav", None, "damaged"),
        ("sa1.txt", b"0", "not a TIMIT transcript"),
    ],
)
def test_damaged_file_is_named(server, tmp_path, file, content, message):
    fetch_timit_sample(data_home=tmp_path)
    path = tmp_path / "timit" / "dr1-fvmh0" / file
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(OSError, match=message) as caught:
        fetch_timit_sample(data_home=tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"PK, but not a zip file", None])
def test_archive_without_the_data_is_refused(server, tmp_path, monkeypatch, content):
    if content is None:
        empty = io.BytesIO()
        zipfile.ZipFile(empty, "w").close()
        content = empty.getvalue()
    server.content = content
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(_timit, "_ARCHIVE", _download.Archive(server.url, len(content), digest))
    with pytest.raises(OSError, match=r"timit\.zip (is not a readable zip file|does not hold)"):
        fetch_timit_sample(data_home=tmp_path)
    assert not (tmp_path / "timit").exists()


@pytest.mark.parametrize(
    "parameters", [{"subset": "some"}, {"n_retries": -1}, {"delay": -1.0}, {"data_home": 3}, {"return_X_y": "yes"}]
)
def test_refuses_bad_parameters(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        fetch_timit_sample(**parameters)
