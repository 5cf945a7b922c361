"""
Search on a cluster
===================

Searches of scikit-learn, and `SupervisedSeparatorCV`, run on everything that joblib can reach. Here it is a Dask
cluster of two processes on this machine. For a real cluster, give ``Client`` the address of its scheduler and change
nothing else. Run this page as a script: ``python search_on_dask.py``. It needs ``pip install 'sklearn_gass[search]'``.
"""

import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
from sklearn_gass.datasets import make_voices
from sklearn_gass.scoring import SeparationScorer


def make_search():
    """Return a search over the size of the source models and the mask exponent, on waveforms."""
    audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(max_iter=10), max_iter=20, random_state=0))
    grid = {"separator__source_model__n_components": [5, 10], "separator__mask_exponent": [1, 2]}
    return GridSearchCV(
        audio, grid, cv=StratifiedKFold(3), scoring=SeparationScorer("si_sdr_improvement"), error_score="raise"
    )


def main():
    """Search on the cluster and in this process, and compare."""
    X, y = make_voices(2, n_utterances=3, duration=1.0, random_state=0, return_X_y=True)
    # one thread for each process, as in this one: sums of several threads are rounded in another order
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.wait_for_workers(2)
        print(f"{len(client.nthreads())} processes")
        with joblib.parallel_config(backend="dask"):
            search = make_search().fit(X, y)
    print(f"best: {search.best_params_}, {search.best_score_:.2f} dB better than the mixture")
    alone = make_search().fit(X, y)
    same = np.array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    print("same scores as in one process:", same)


if __name__ == "__main__":  # the processes of the cluster import this file
    main()
