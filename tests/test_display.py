"""Pictures, players and pages."""

import io
import pickle
import re
import sys
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from matplotlib._pylab_helpers import Gcf
from matplotlib.figure import Figure

from sklearn_gass.display import plot_spectrograms, report_page, scores_html, separation_html, spectrograms_png

RATE = 8000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collect elements and texts, and hold that every element is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def assert_self_contained(html):
    page = Page(html)
    for _, attributes in page.elements:
        assert "href" not in attributes
        assert attributes.get("src", "data:").startswith("data:")
    assert "://" not in html
    assert "url(" not in html and "@import" not in html
    return page


def decode_player(attributes):
    prefix = "data:audio/flac;base64,"
    assert attributes["src"].startswith(prefix)
    file = io.BytesIO(b64decode(attributes["src"].removeprefix(prefix)))
    assert soundfile.info(file).subtype == "PCM_16"
    file.seek(0)
    samples, rate = soundfile.read(file, dtype="int16")
    assert samples.ndim == 1
    return samples, rate


def tone(frequency, seconds=0.5, rate=RATE, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def waves():
    return {"low": tone(500), "high": tone(3000, amplitude=0.05)}


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "sklearn_gass.display._figure", raising=False)


def test_figure_has_a_row_for_each_wave_and_one_colour_scale(waves):
    figure = plot_spectrograms(waves, RATE)
    rows = figure.axes[:2]
    assert [row.get_title(loc="left") for row in rows] == ["low", "high"]
    images = [row.images[0] for row in rows]
    assert {image.get_clim() for image in images} == {(-80.0, 0.0)}
    assert images[0].get_array().max() == pytest.approx(0, abs=1e-9)
    assert images[1].get_array().max() == pytest.approx(-20, abs=0.1), "a tenth of the amplitude is 20 dB less"


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("frequency", [500, 3000])
def test_tone_is_drawn_at_its_frequency_and_time(rate, frequency):
    sound = np.concatenate([np.zeros(rate // 2), tone(frequency, rate=rate)])
    image = plot_spectrograms({"tone": sound}, rate).axes[0].images[0]
    decibels, (left, right, bottom, top) = image.get_array(), image.get_extent()
    assert (left, right, bottom, top) == (0, 1, 0, rate / 2000)
    loudest = decibels[:, decibels.shape[1] * 3 // 4].argmax()
    assert loudest / (len(decibels) - 1) * top * 1000 == pytest.approx(frequency, abs=rate / 256)
    assert decibels[:, decibels.shape[1] // 4].max() == -80


def test_shorter_waves_keep_their_place_on_a_common_axis():
    figure = plot_spectrograms({"long": tone(500, 1.0), "short": tone(500, 0.25)}, RATE)
    assert [axes.get_xlim() for axes in figure.axes[:2]] == [(0, 1), (0, 1)]
    assert figure.axes[1].images[0].get_extent()[1] == 0.25


def test_long_waves_have_bounded_pictures():
    image = plot_spectrograms({"long": np.ones(RATE * 120, dtype=np.float32)}, RATE).axes[0].images[0]
    assert image.get_array().shape[1] <= 1501


def test_given_axes_are_drawn_on(waves):
    figure = Figure()
    axes = figure.subplots(2)
    assert plot_spectrograms(waves, RATE, axes=axes) is figure
    assert all(len(panel.images) == 1 for panel in axes)
    with pytest.raises(ValueError, match="2 waveforms need as many axes, got 1"):
        plot_spectrograms(waves, RATE, axes=[axes[0]])


def test_pyplot_is_left_alone(waves):
    before = Gcf.get_num_fig_managers()
    plot_spectrograms(waves, RATE)
    assert Gcf.get_num_fig_managers() == before


@pytest.mark.parametrize("name", ["$x$ and $", "日本語", "a_b^c", "<b>"])
def test_any_name_can_be_drawn(name):
    assert spectrograms_png({name: tone(500)}, RATE).startswith(PNG_SIGNATURE)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(100),
        np.ones(1),
        np.array([5e-324, 0, -5e-324]),
        np.array([1e300, -1e300]),
        np.array([1, -3], dtype=np.int16),
    ],
    ids=["silence", "one sample", "subnormal", "huge", "integers"],
)
def test_unusual_waves_are_shown(sound):
    html = separation_html({"sound": sound}, RATE)
    samples, _ = decode_player(Page(html).all("audio")[0])
    assert len(samples) == len(sound)
    assert np.abs(samples.astype(int)).max() == (round(0.9 * 32767) if np.any(sound) else 0)


@pytest.mark.parametrize(
    ("waves", "rate", "message"),
    [
        ({}, RATE, "There is no waveform to show"),
        ({"a": np.zeros((2, 9))}, RATE, "Waveform 'a' must be 1-D"),
        ({"a": [0.0, np.nan]}, RATE, "Waveform 'a' contains NaN"),
        ({"a": []}, RATE, "Waveform 'a' is empty"),
        ({"a": [1.0]}, 0, "sample_rate must be positive, got 0"),
    ],
)
@pytest.mark.parametrize("show", [plot_spectrograms, spectrograms_png, separation_html])
def test_bad_waves_are_refused(show, waves, rate, message):
    with pytest.raises(ValueError, match=message):
        show(waves, rate)


def test_fragment_has_table_picture_and_players(waves):
    html = separation_html(waves, RATE)
    page = assert_self_contained(html)
    assert [attributes["aria-label"] for attributes in page.all("audio")] == ["Listen to low", "Listen to high"]
    assert all("controls" in attributes for attributes in page.all("audio"))
    (image,) = page.all("img")
    assert "low, high" in image["alt"]
    prefix = "data:image/png;base64,"
    assert b64decode(image["src"].removeprefix(prefix)).startswith(PNG_SIGNATURE)
    # a sine has a mean square of half its squared amplitude: -6 - 3 dB, and -20 dB more
    assert [text for text in page.texts if text.strip()][4:] == ["low", "0.50", "-9.0", "high", "0.50", "-29.0"]


def test_players_have_the_waves_at_one_gain(waves):
    players = [decode_player(attributes) for attributes in Page(separation_html(waves, RATE)).all("audio")]
    loudest = max(np.abs(sound).max() for sound in waves.values())
    for (samples, rate), sound in zip(players, waves.values(), strict=True):
        assert rate == RATE
        np.testing.assert_allclose(samples, sound / loudest * 0.9 * 32767, atol=0.51)


def test_outlines_show_the_waves_at_the_gain_of_the_players():
    sound = np.concatenate([np.zeros(RATE), np.full(RATE, 0.5), np.full(RATE, -0.25)])
    html = separation_html({"sound": sound, "one": np.ones(1), "silence": np.zeros(9)}, RATE)
    long, one, silence = re.findall(r'<path [^>]*d="([^"]*)"', html)
    columns = [tuple(map(int, column)) for column in re.findall(r"M(\d+) (\d+)V(\d+)", long)]
    assert [column for column, _, _ in columns] == list(range(300))
    assert {extent[1:] for extent in columns[:100]} == {(20, 21)}, "silence is a line in the middle"
    # 90 % of full scale is 18 of 20 rows upwards from the middle, for a sample of 1
    assert {extent[1:] for extent in columns[100:200]} == {(11, 12)}
    assert {extent[1:] for extent in columns[200:]} == {(24, 25)}
    assert one == "M0 2V3"
    assert len(re.findall("V21", silence)) == 9


def test_players_hold_the_first_minute():
    page = Page(separation_html({"long": np.linspace(-1, 1, RATE * 61)}, RATE))
    assert len(decode_player(page.all("audio")[0])[0]) == 60 * RATE
    assert "first 60 s" in page.texts
    assert "61.00" in page.texts


def test_players_of_one_fragment_share_a_position(waves):
    for player in Page(separation_html(waves, RATE)).all("audio"):
        assert "this.currentTime=other.currentTime" in player["onplay"]
        assert "other.currentTime=this.currentTime" in player["onseeked"]


def test_ten_seconds_of_two_sources_are_below_a_megabyte():
    noise = np.random.default_rng(0).normal(size=(2, 160_000)) * 0.1
    for rate in (16000, 44100):
        sound = {"a": noise[0], "b": noise[1]} if rate == 16000 else {"a": np.tile(noise[0], 3)[:441_000]}
        waves = {"mixture": sum(sound.values()), **sound}
        assert len(separation_html(waves, rate)) < 1_000_000, "noise is what compresses worst"


def test_players_at_a_rate_that_mp3_lacks_are_lossless():
    noise = np.random.default_rng(0).normal(size=500_000)
    (player,) = Page(separation_html({"noise": noise}, 16001)).all("audio")
    assert len(decode_player(player)[0]) == 500_000


def test_figures_are_pickled(waves):
    figure = pickle.loads(pickle.dumps(plot_spectrograms(waves, RATE)))
    assert figure._repr_png_().startswith(PNG_SIGNATURE)


def test_names_are_escaped():
    name = '"><script>alert(1)</script>&'
    page = assert_self_contained(separation_html({name: tone(500)}, RATE))
    assert not page.all("script")
    assert page.all("audio")[0]["aria-label"] == f"Listen to {name}"
    assert name in "".join(page.texts)


def test_a_picture_can_be_given(waves):
    (image,) = Page(separation_html(waves, RATE, png=b"picture")).all("img")
    assert image["src"] == "data:image/png;base64,cGljdHVyZQ=="


def test_without_matplotlib_players_remain(waves, no_matplotlib):
    page = assert_self_contained(separation_html(waves, RATE))
    assert len(page.all("audio")) == 2
    assert not page.all("img")
    with pytest.raises(ImportError, match=re.escape("pip install 'sklearn_gass[plots]'")):
        plot_spectrograms(waves, RATE)


def test_page_is_complete_and_escaped():
    table = scores_html({"a<b": {"SDR": 1.25, "S&R": -np.inf}, "c": {"SDR": 250.0, "S&R": 0.0}}, caption="x < y")
    html = report_page("T <1>", {"Scores & more": table}, lead="a < b", notes=["n < m"])
    page = assert_self_contained(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    for text in ("T <1>", "Scores & more", "a < b", "n < m", "x < y", "a<b", "S&R", "1.2", "-inf", ">99", "0.0"):
        assert text in page.texts
