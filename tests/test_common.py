"""scikit-learn's estimator checks, those it leaves out, and the contract of our own verbs."""

import os

import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from sklearn_gass import (
    STFT,
    AudioSeparator,
    BackgroundModel,
    DAESourceModel,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    WGANSourceModel,
)

SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 2}

SOURCE_MODELS = [
    NMFSourceModel(n_components=2, max_iter=2),
    NMFSourceModel(n_components=2, max_iter=2, prior="gamma"),
    BackgroundModel(n_components=2, max_iter=2),
    VAESourceModel(**SMALL),
    DAESourceModel(**SMALL),
    GANSourceModel(**SMALL),
    WGANSourceModel(**SMALL),
    WGANSourceModel(
        **SMALL, penalty="clip", latent="data", reconstruction_weight=0, inversion_max_iter=2, critic_max_iter=1
    ),
]
CHEAP_START, CHEAP_CRITIC = MixtureStart((8,), max_iter=2), MixtureCritic((8,), max_iter=2)
SEPARATORS = [
    SupervisedSeparator(NMFSourceModel(n_components=2, max_iter=2)),
    SupervisedSeparator(WGANSourceModel(**SMALL), critic_weight=1.0, start=CHEAP_START, critic=CHEAP_CRITIC),
    SupervisedSeparator(VAESourceModel(**SMALL), start="source", critic=CHEAP_CRITIC),
    AudioSeparator(SupervisedSeparator(NMFSourceModel(n_components=2, max_iter=2))),
    SupervisedSeparatorCV(SupervisedSeparator(NMFSourceModel(n_components=2, max_iter=2)), critic_weights=(0, 1)),
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


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_check_estimator(estimator):
    results = check_estimator(clone(estimator), on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] not in ("passed", "skipped")}
    assert not failed
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}, "only the check that test_array_api_input runs may be skipped"
    assert sum(r["status"] == "passed" for r in results) > 40, "a wrong tag makes scikit-learn skip checks"


@pytest.mark.skipif(os.environ.get("SCIPY_ARRAY_API") != "1", reason="SCIPY_ARRAY_API=1 is not set")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_array_api_input(estimator):
    checks = [check for _, check in estimator_checks_generator(clone(estimator)) if "array_api" in repr(check)]
    assert checks
    for check in checks:
        check(clone(estimator))


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_check_that_check_estimator_leaves_out(estimator, name):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip(f"this scikit-learn has no {name}")
    check(type(estimator).__name__, clone(estimator))


@pytest.mark.parametrize("estimator", [*{type(e): e for e in ESTIMATORS}.values(), CHEAP_START, CHEAP_CRITIC, STFT()])
def test_true_is_no_number(estimator):
    numbers = {name for name, value in type(estimator)().get_params(deep=False).items() if type(value) in (int, float)}
    for name in numbers - {"verbose"} | ({"n_jobs"} & estimator.get_params().keys()):
        with pytest.raises(ValueError, match=f"'{name}' parameter of {type(estimator).__name__} must be .* Got True"):
            clone(estimator).set_params(**{name: True})._validate_params()


@pytest.mark.parametrize("name", ["hidden_layer_sizes", "critic_hidden_layer_sizes"])
@pytest.mark.parametrize("widths", [True, (8, True)])
def test_true_is_no_width(name, widths):
    with pytest.raises(ValueError, match=f"{name} must hold integers of at least 1, got "):
        WGANSourceModel(**SMALL).set_params(**{name: widths}).fit([[1.0, 2.0], [2.0, 1.0]])
