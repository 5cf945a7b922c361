"""Searches on other backends of joblib, and caches that outlive a search or serve two at once."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold

from sklearn_gass import (
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
)
from sklearn_gass.datasets import make_voices
from sklearn_gass.scoring import SeparationScorer

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "search_on_dask.py"
WEIGHTS = [0, 10, 100]
# A search in a process of its own. The data are drawn there anew, since only equal numbers find the same cache.
SCRIPT = """
import json, sys
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn_gass import SupervisedSeparator, VAESourceModel
rng = np.random.default_rng(0)
X, y, groups = rng.gamma(1, 1, (60, 12)), np.repeat(["a", "b"], 30), np.arange(60) // 5
model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=200)
separator = SupervisedSeparator(
    model, max_iter=5, memory=sys.argv[1] or None, random_state=0
).set_params(start__max_iter=2, critic__max_iter=2)
search = GridSearchCV(separator, {"critic_weight": [0, 10, 100]}, cv=StratifiedGroupKFold(3), error_score="raise")
search.fit(X, y, groups=groups)
print(json.dumps(search.cv_results_["mean_test_score"].tolist()))
"""


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of several threads are rounded in another order, so that only equal numbers of threads compare."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def separator(seed):
    model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=3)
    return SupervisedSeparator(
        model, max_iter=5, start=MixtureStart(max_iter=2), critic=MixtureCritic(max_iter=2), random_state=seed
    )


@pytest.fixture(scope="module")
def scores_of(separator, make_sources, short_voices):
    """Function of a number of jobs that returns the scores of all folds of three searches."""
    data = make_sources(2)
    audio = AudioSeparator(separator)
    searches = [
        (GridSearchCV(separator, {"critic_weight": WEIGHTS}, cv=StratifiedGroupKFold(2)), "frames"),
        (SupervisedSeparatorCV(separator, critic_weights=WEIGHTS, cv=2), "frames"),
        (
            GridSearchCV(audio, {"separator__critic_weight": [0, 100]}, cv=StratifiedKFold(3)).set_params(
                scoring=SeparationScorer("sdr")
            ),
            "waveforms",
        ),
    ]

    def search(n_jobs=None):
        scores = []
        for search, kind in searches:
            search = clone(search).set_params(n_jobs=n_jobs)
            if kind == "frames":
                search.fit(data.X, data.y, groups=data.groups)
            else:
                search.fit(short_voices.utterances, short_voices.speakers)
            results = search.cv_results_
            scores += [results[f"split{i}_test_score"] for i in range(search.n_splits_)]
        return np.concatenate(scores)

    return search


@pytest.fixture(scope="module")
def sequential(scores_of):
    return scores_of()


class TestBackends:
    def test_threading(self, scores_of, sequential):
        with joblib.parallel_config(backend="threading"):
            np.testing.assert_array_equal(scores_of(n_jobs=2), sequential)

    def test_loky(self, scores_of, sequential):
        with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            np.testing.assert_array_equal(scores_of(n_jobs=2), sequential)

    @pytest.mark.filterwarnings("default")  # warnings of dask itself, which depend on its version and the machine
    def test_dask_cluster_of_two_processes(self, scores_of, sequential):
        distributed = pytest.importorskip("distributed", reason="needs dask: pip install 'sklearn_gass[search]'")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            client.wait_for_workers(2, timeout=120)
            assert len(set(client.run(_process_id).values())) == 2
            with joblib.parallel_config(backend="dask"):
                np.testing.assert_array_equal(scores_of(n_jobs=-1), sequential)
            worked = client.run(lambda dask_worker: dask_worker.state.executed_count)
            assert all(worked.values()), "both processes must have taken part"

    def test_example_on_dask(self):
        pytest.importorskip("distributed", reason="needs dask: pip install 'sklearn_gass[search]'")
        result = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=900, check=False)
        assert result.returncode == 0, result.stderr
        assert "2 processes" in result.stdout
        assert "same scores as in one process: True" in result.stdout

    @pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed; the extras leave it out")
    @pytest.mark.filterwarnings("default")  # warnings of ray itself
    def test_ray_cluster_of_two_processes(self, scores_of, sequential):
        import ray
        from ray.util.joblib import register_ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            register_ray()
            with joblib.parallel_config(backend="ray"):
                np.testing.assert_array_equal(scores_of(n_jobs=2), sequential)
        finally:
            ray.shutdown()


def _process_id():
    import os

    return os.getpid()


def start(memory=""):
    command = [sys.executable, "-c", SCRIPT, str(memory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return json.loads(output), errors


@pytest.fixture(scope="module")
def uncached():
    """Scores of the script without a cache."""
    return finish(start())[0]


def cached_fits(memory):
    return sorted(path.parent.name for path in memory.rglob("fit_model/*/output.pkl"))


class CountedVAE(VAESourceModel):
    """Counts fits in this process, and may be interrupted."""

    n_fits = 0
    interrupt_at = None

    def fit(self, X, y=None):
        if type(self).n_fits == type(self).interrupt_at:
            raise KeyboardInterrupt
        type(self).n_fits += 1
        return super().fit(X, y)


class TestCache:
    @pytest.mark.parametrize("kind", ["grid", "cv"])
    def test_interrupted_search_goes_on_where_it_was(self, kind, separator, make_sources, tmp_path, monkeypatch):
        data, model = make_sources(2), CountedVAE(2, hidden_layer_sizes=(8,), max_iter=3)
        separator = clone(separator).set_params(source_model=model)
        folds = list(StratifiedGroupKFold(3).split(data.X, data.y, data.groups))
        search = {
            "grid": GridSearchCV(separator, {"critic_weight": WEIGHTS}, cv=folds),
            "cv": SupervisedSeparatorCV(separator, critic_weights=WEIGHTS, cv=folds),
        }[kind]
        expected = clone(search).fit(data.X, data.y).cv_results_["mean_test_score"]
        nested = "estimator__memory" if kind == "grid" else "separator__memory"
        search.set_params(**{nested: str(tmp_path)})
        monkeypatch.setattr(CountedVAE, "n_fits", 0)
        monkeypatch.setattr(CountedVAE, "interrupt_at", 5)
        with pytest.raises(KeyboardInterrupt):
            clone(search).fit(data.X, data.y)
        monkeypatch.setattr(CountedVAE, "interrupt_at", None)
        resumed = clone(search).fit(data.X, data.y)
        assert CountedVAE.n_fits == 8, "5 before and 3 after the interruption"
        np.testing.assert_array_equal(resumed.cv_results_["mean_test_score"], expected)

    def test_killed_process_leaves_a_usable_cache(self, uncached, tmp_path):
        killed = start(tmp_path)
        give_up = time.monotonic() + 120
        while len(cached_fits(tmp_path)) < 2 and killed.poll() is None and time.monotonic() < give_up:
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        left = cached_fits(tmp_path)
        assert 2 <= len(left) < 8, "it must have been killed on its way"
        times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("_fit_model/*/output.pkl")}
        scores, errors = finish(start(tmp_path))
        assert scores == uncached
        assert "Exception while loading" not in errors
        assert len(cached_fits(tmp_path)) == 8
        assert times == {path: path.stat().st_mtime_ns for path in times}, "what was there was read, not fitted again"

    def test_two_processes_share_a_folder(self, uncached, tmp_path):
        both = [start(tmp_path) for _ in range(2)]
        for process in both:
            scores, errors = finish(process)
            assert scores == uncached
            assert "Exception while loading" not in errors
        assert len(cached_fits(tmp_path)) == 8
        for path in tmp_path.rglob("output.pkl"):
            joblib.load(path)
        assert not list(tmp_path.rglob("*.thread-*")), "no half-written files are left"

    @pytest.mark.parametrize("choose", [False, True])
    def test_pairs_share_the_models_of_a_speaker(self, choose, seed, tmp_path):
        """Three pairs of three speakers need three models, and as many more in each fold."""
        voices = make_voices(3, n_utterances=3, duration=0.5, random_state=seed)
        separator = SupervisedSeparator(NMFSourceModel(2, max_iter=2), memory=str(tmp_path), random_state=seed)
        audio = AudioSeparator(separator)
        for missing in np.unique(voices.speakers):
            rows = np.flatnonzero(voices.speakers != missing)
            pair = clone(SupervisedSeparatorCV(audio, critic_weights=[0]) if choose else audio)
            pair.fit([voices.utterances[i] for i in rows], voices.speakers[rows])
        assert len(cached_fits(tmp_path)) == (3 * (1 + 3) if choose else 3)
