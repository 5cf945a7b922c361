"""scikit-learn's estimator checks, those it leaves out, and the contract of our own verbs."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator

SOURCE_MODELS = [
    NMFSourceModel(n_components=2, max_iter=2),
    NMFSourceModel(n_components=2, max_iter=2, prior="gamma"),
]
SEPARATORS = [
    SupervisedSeparator(NMFSourceModel(n_components=2, max_iter=2), max_iter=2),
    AudioSeparator(SupervisedSeparator(NMFSourceModel(n_components=2, max_iter=2), max_iter=2)),
]
ESTIMATORS = SOURCE_MODELS + SEPARATORS

LEFT_OUT = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_n_features_in",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_the_whole_suite_runs(estimator):
    """A wrong tag makes scikit-learn skip its checks with a mere warning."""
    results = check_estimator(clone(estimator), on_skip=None, on_fail=None)
    passed = [r for r in results if r["status"] == "passed"]
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert len(passed) > 40
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert skipped <= {"check_array_api_input"}, "only array-API dispatch, which needs SCIPY_ARRAY_API=1, may be skipped"


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_check_that_check_estimator_leaves_out(estimator, name):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip(f"this scikit-learn has no {name}")
    check(type(estimator).__name__, clone(estimator))
