"""Plots of searches: scores against λ with their spread over the folds, and interference against artifacts.

Both take any fitted search that has `cv_results_` and `best_params_`: :class:`~sklearn_gass.SupervisedSeparatorCV`, or
the searches of scikit-learn. They hold arrays and follow the conventions of scikit-learn's displays: make one by
`from_search`, a `SearchDisplay` by `from_estimator` as well, and draw it by `plot`, as often as wanted.
"""

from sklearn_gass.search_display._scores import SearchDisplay
from sklearn_gass.search_display._trade_off import TradeOffDisplay

__all__ = ["SearchDisplay", "TradeOffDisplay"]
