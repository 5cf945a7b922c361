"""Plots of searches: scores against λ with their spread over the folds, and interference against artifacts.

λ weighs the critics of a separator, networks that score how clean an estimate of a source sounds.

Both displays take any fitted search that has `cv_results_` and `best_params_`, such as
:class:`~sklearn_gass.SupervisedSeparatorCV` or a search of scikit-learn. They hold arrays and follow the conventions of
scikit-learn's displays. `from_search` makes one from a search and draws it. `plot` draws it again, as often as you
want. `SearchDisplay.from_estimator` makes the search, too.
"""

from sklearn_gass.search_display._scores import SearchDisplay
from sklearn_gass.search_display._trade_off import TradeOffDisplay

__all__ = ["SearchDisplay", "TradeOffDisplay"]
