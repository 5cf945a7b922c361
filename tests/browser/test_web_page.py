"""The whole path through the page in a real browser: name, upload, train, separate, listen, tune, keep, load."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sklearn_gass import load_audio, load_model
from sklearn_gass.web._uploads import MAX_FILE_MEGABYTES

RATE = 16000
EVIL = '"><img src=x onerror=alert(1)>'
LONG = 180_000  # milliseconds; machines that test have other work, too


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Clean recordings of two voices, and a mixture: real speech if it is there, synthetic voices otherwise."""
    folder = tmp_path_factory.mktemp("sounds")
    data = Path(os.environ.get("SKLEARN_GASS_DATA", ""), "timit")
    if data.is_dir():
        voices = [
            [load_audio(path)[0] for path in sorted((data / speaker).glob("*.wav"))[:4]]
            for speaker in ("dr1-fvmh0", "dr1-mcpm0")
        ]
    else:
        from sklearn_gass.datasets import make_voices

        utterances = make_voices(2, n_utterances=4, random_state=0).utterances
        voices = [utterances[:4], utterances[4:]]
    for k, (first, second) in enumerate(zip(*voices, strict=True)):
        soundfile.write(folder / f"first {k}.wav", first, RATE)
        soundfile.write(folder / f"second {k}.wav", second, RATE)
    n_samples = min(len(voice[0]) for voice in voices)
    soundfile.write(folder / "<b>mixture.wav", 0.5 * sum(voice[0][:n_samples] for voice in voices), RATE)
    return folder


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """The folder for temporary files of the command."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(browser, temporary):
    """The address of a page that the command serves, and its process."""
    command = [sys.executable, "-m", "sklearn_gass", "serve"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline()
        yield re.search(r"http://127\.0\.0\.1:\d+", line)[0], process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def watched(browser, server):
    from check_pages import Watched

    found = Watched(browser, 1280)
    found.page.set_default_timeout(LONG)
    dialogs = []
    found.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    found.page.goto(server[0])
    found.page.wait_for_selector("#train")
    yield found
    found.page.close()
    assert dialogs == [], "no label runs as a script"
    assert found.problems == []


def upload(page, place, *paths):
    page.set_input_files(f"#{place} input[type=file]", [str(path) for path in paths])
    page.wait_for_selector(f"#{place} >> text={paths[-1].suffix}")


def fill_sources(page, sounds, names):
    for k, (name, stem) in enumerate(zip(names, ("first", "second"), strict=True), 1):
        page.fill(f"#name-{k} textarea, #name-{k} input", name)
        upload(page, f"recordings-{k}", *[sounds / f"{stem} {number}.wav" for number in (1, 2, 3)])


def move(page, slider, value):
    number = page.locator(f"#{slider} input[type=number]")
    number.fill(str(value))
    number.press("Enter")
    number.blur()
    page.locator(f"#{slider} input[type=range]").dispatch_event("pointerup")


def open_page(browser, address):
    """Return another page, as somebody else has it."""
    page = browser.new_page()
    page.set_default_timeout(LONG)
    page.goto(address)
    page.wait_for_selector("#train")
    return page


def choose_nmf(page):
    page.click("#kind input")
    page.click("[role=option] >> text=NMF")


def players(page):
    return page.eval_on_selector_all("#results audio", "all => all.map(player => player.src)")


def test_from_names_to_a_loaded_model(watched, sounds, tmp_path):
    page = watched.page
    page.click("#train")
    page.wait_for_selector("#training-status >> text=Separation needs two sources or more")
    fill_sources(page, sounds, [EVIL, "Ben"])
    page.click("#length >> text=short")
    page.click("#train")
    page.wait_for_selector("#training-status progress")
    page.wait_for_selector("#training-status >> text=Trained.")

    upload(page, "mixtures", sounds / "<b>mixture.wav")
    page.click("#separate")
    page.wait_for_selector("#results audio")
    watched.look()  # hears the players, too
    assert page.inner_text("#results h3").endswith("mixture.wav")
    assert page.query_selector("#results b") is None, "names of files are text"
    names = page.eval_on_selector_all("#results tbody th", "all => all.map(head => head.textContent)")
    assert sorted(names) == sorted(["mixture", EVIL, "Ben"])

    before = players(page)
    move(page, "critic-weight", 10)
    page.wait_for_function("before => document.querySelectorAll('#results audio')[1].src !== before", arg=before[1])
    after = players(page)
    assert after[1] != before[1] and after[2] != before[2], "the sources change"  # and so may the gain of all players

    page.wait_for_selector("#sounds a[download]")
    with page.expect_download() as download:
        page.click("#sounds a[download] >> nth=0")
    wave, rate = load_audio(download.value.path())
    assert rate == RATE and np.ptp(wave) > 0
    with page.expect_download() as download:
        page.click("#model-file a[download] >> nth=0")
    model = tmp_path / "kept.safetensors"
    download.value.save_as(model)
    assert load_model(model).classes_.tolist() == sorted([EVIL, "Ben"])

    page.reload()
    page.wait_for_selector("#train")
    upload(page, "load", model)
    page.wait_for_selector("#model-status >> text=Loaded kept.safetensors.")
    upload(page, "mixtures", sounds / "<b>mixture.wav")
    page.click("#separate")
    page.wait_for_selector("#results audio")
    assert sorted(players(page)) == sorted(before), "the loaded model separates as before"


def test_a_microphone_and_several_mixtures(watched, sounds):
    page = watched.page
    page.fill("#name-1 textarea, #name-1 input", "<script>alert(1)</script>")
    page.click("#microphone-1 button.record-button")
    page.wait_for_timeout(2000)
    page.click("#microphone-1 button.stop-button")
    page.wait_for_selector("#microphone-1 button[aria-label='Play']")
    page.fill("#name-2 textarea, #name-2 input", "Ben")
    upload(page, "recordings-2", sounds / "second 1.wav")
    choose_nmf(page)
    page.click("#train")
    page.wait_for_selector("#training-status >> text=Trained.")

    upload(page, "mixtures", sounds / "<b>mixture.wav", sounds / "first 0.wav")
    page.click("#separate")
    page.wait_for_selector("#results audio >> nth=5")
    first, second = page.eval_on_selector_all("#results h3", "all => all.map(head => head.textContent)")
    assert first.endswith("mixture.wav") and second == "first 0.wav"
    assert len(page.query_selector_all("#results svg[aria-label^='Waveform of']")) == 6
    assert len(page.query_selector_all("#results img[alt^='Spectrograms']")) == 2
    page.set_viewport_size({"width": 390, "height": 844})
    watched.look()


def test_limits_are_told(watched, sounds, tmp_path):
    page = watched.page
    (tmp_path / "text.wav").write_text("no sound")
    page.fill("#name-1 textarea, #name-1 input", "anna")
    page.fill("#name-2 textarea, #name-2 input", "ben")
    upload(page, "recordings-1", tmp_path / "text.wav")
    upload(page, "recordings-2", sounds / "second 1.wav")
    page.click("#train")
    page.wait_for_selector("#training-status .problem >> text=text.wav")
    upload(page, "mixtures", sounds / "first 0.wav")
    page.click("#separate")
    page.wait_for_selector("#separation-status .problem >> text=Train a model or load one")


def test_a_file_that_is_too_large_is_refused(browser, server, tmp_path):
    page = open_page(browser, server[0])  # a watched page would keep the whole file in memory
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate(MAX_FILE_MEGABYTES * 2**20 + 1)
    page.set_input_files("#mixtures input[type=file]", str(tmp_path / "large.wav"))
    page.wait_for_selector(f"text=/maximum.* {MAX_FILE_MEGABYTES}/i")
    page.close()


def test_one_training_at_a_time_and_cancel(watched, browser, server, sounds):
    page, address = watched.page, server[0]
    fill_sources(page, sounds, ["anna", "ben"])
    page.click("#length >> text=long")
    page.click("#train")
    page.wait_for_selector("#training-status progress")
    others = [open_page(browser, address) for _ in range(2)]
    for other in others:
        fill_sources(other, sounds, ["anna", "ben"])
        choose_nmf(other)
        other.click("#train")
        other.wait_for_selector("text=/queue: /")
    others[0].click("#cancel")
    others[0].wait_for_selector("#training-status >> text=No training runs now")  # before its turn may come
    page.click("#cancel")
    page.wait_for_selector("#training-status >> text=The training was cancelled")
    others[1].wait_for_selector("#training-status >> text=Trained.")
    for other in others:
        other.close()


def test_a_telephone_shows_no_wider_page(browser, server):
    from check_pages import Watched

    watched = Watched(browser, 390)
    watched.page.goto(server[0])
    watched.page.wait_for_selector("#train")
    watched.look()
    watched.page.close()
    assert watched.problems == []


def test_ctrl_c_removes_what_was_uploaded(server, temporary):
    assert list(temporary.glob("sklearn-gass-*/uploads/*")), "something was uploaded"
    process = server[1]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert list(temporary.glob("sklearn-gass-*")) == []
    assert [path for path in temporary.rglob("*") if path.suffix in {".wav", ".safetensors"}] == []
