"""Scores of a search along one of its parameters."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np


def slice_through_best(search: Any, param_name: str | None) -> dict[str, Any]:
    """Return values and scores of a parameter, of candidates whose other parameters are those of the best one."""
    if not hasattr(search, "best_params_"):
        raise ValueError("The search has no best_params_: fit it, with refit set if it has several metrics.")
    best, candidates = search.best_params_, search.cv_results_["params"]
    wanted = "critic_weight" if param_name is None else param_name
    matches = [wanted] if wanted in best else sorted(name for name in best if name.endswith(f"__{wanted}"))
    if not matches:
        raise ValueError(f"The search did not vary {wanted}, but {sorted(best)}.")
    if len(matches) > 1:
        raise ValueError(f"The search varied several parameters called {wanted}: name one of {matches}.")
    name = matches[0]
    others = {key: value for key, value in best.items() if key != name}
    alike = [i for i, c in enumerate(candidates) if {k: v for k, v in c.items() if k != name} == others]
    if not all(isinstance(candidates[i][name], Real) for i in alike):
        raise ValueError(f"{name} has values that are no numbers, and no place on an axis.")
    # successive halving has a value several times, the last one with most resources
    rows = [row for _, row in sorted({candidates[i][name]: i for i in alike}.items())]
    metrics = [key.removeprefix("mean_test_") for key in search.cv_results_ if key.startswith("mean_test_")]
    return {
        "param_name": name,
        "param_range": np.array([candidates[i][name] for i in rows]),
        "scores": {
            metric: np.stack([search.cv_results_[f"split{k}_test_{metric}"][rows] for k in range(search.n_splits_)], 1)
            for metric in metrics
        },
        "best_value": best[name],
    }
