import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import kl_div
from sklearn.decomposition import non_negative_factorization

from sklearn_gass.divergences import DIVERGENCES, euclidean_distance, itakura_saito_divergence, kl_divergence

NAMES = sorted(DIVERGENCES)
DTYPES = [torch.float32, torch.float64]


def positive(shape, seed=0, low=0.1):
    generator = torch.Generator().manual_seed(seed)
    return low + 3 * torch.rand(shape, generator=generator, dtype=torch.float64)


def test_kl_is_that_of_scipy_also_where_frames_are_zero():
    frames, reconstruction = positive((5, 7), low=0.0), positive((5, 7), seed=1)
    frames[frames < 1] = 0
    expected = kl_div(frames.numpy(), reconstruction.numpy()).sum(axis=1)
    np.testing.assert_allclose(kl_divergence(frames, reconstruction), expected, rtol=1e-12)


def test_euclidean_is_half_the_squared_norm():
    frames, reconstruction = positive((5, 7)), positive((5, 7), seed=1)
    expected = 0.5 * np.linalg.norm(frames.numpy() - reconstruction.numpy(), axis=1) ** 2
    np.testing.assert_allclose(euclidean_distance(frames, reconstruction), expected, rtol=1e-12)


def test_itakura_saito_is_its_definition():
    frames, reconstruction = positive((5, 7)), positive((5, 7), seed=1)
    ratio = (frames / reconstruction).numpy()
    expected = [math.fsum(row - np.log(row) - 1) for row in ratio]
    np.testing.assert_allclose(itakura_saito_divergence(frames, reconstruction), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_names_mean_what_they_mean_in_scikit_learn(name):
    # of all factors of rank 1, scikit-learn's at convergence are the best for its divergence of that name, so they are
    # a minimum of ours only if it is the same
    frames = positive((6, 5))
    left, right, _ = non_negative_factorization(
        frames.numpy(), n_components=1, beta_loss=name, solver="mu", tol=1e-14, max_iter=5000, random_state=0
    )
    right_tensor = torch.tensor(right, requires_grad=True)
    DIVERGENCES[name](frames, torch.tensor(left) @ right_tensor).sum().backward()
    scale = np.abs(left).sum()
    np.testing.assert_allclose(right_tensor.grad.numpy() / scale, 0, atol=1e-5)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_with_finite_differences(name, constant):
    frames = positive((3, 4), low=0.0)
    frames[0, 0] = 0
    reconstruction = positive((3, 4), seed=1).requires_grad_()

    def objective(argument):
        return DIVERGENCES[name](frames, argument, constant=constant)

    assert torch.autograd.gradcheck(objective, (reconstruction,))


@pytest.mark.parametrize("name", NAMES)
def test_leaving_out_the_constant_changes_no_gradient_and_no_difference(name):
    frames = positive((3, 4), low=0.0)
    one, other = positive((3, 4), seed=1).requires_grad_(), positive((3, 4), seed=2)
    divergence = DIVERGENCES[name]
    (whole,) = torch.autograd.grad(divergence(frames, one).sum(), one)
    (part,) = torch.autograd.grad(divergence(frames, one, constant=False).sum(), one)
    torch.testing.assert_close(whole, part)
    torch.testing.assert_close(
        divergence(frames, one) - divergence(frames, other),
        divergence(frames, one, constant=False) - divergence(frames, other, constant=False),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_stay_finite_at_zeros(name, dtype):
    frames = torch.tensor([[0.0, 1.0, 0.0, 100.0]], dtype=dtype)
    reconstruction = torch.tensor([[0.0, 0.0, 2.0, 0.0]], dtype=dtype, requires_grad=True)
    value = DIVERGENCES[name](frames, reconstruction)
    value.sum().backward()
    assert torch.isfinite(value).all()
    # squares, because optimisers such as Adam take them
    assert torch.isfinite(reconstruction.grad**2).all()
    assert (reconstruction.grad[0, [1, 3]] < 0).all(), "a reconstruction of zero must be pushed up to the frame"


@pytest.mark.parametrize("dtype", DTYPES)
def test_kl_at_zero_frames_is_the_reconstruction(dtype):
    reconstruction = torch.tensor([[0.0, 1.0, 2.5]], dtype=dtype, requires_grad=True)
    value = kl_divergence(torch.zeros(1, 3, dtype=dtype), reconstruction)
    value.sum().backward()
    assert value.item() == 3.5
    assert (reconstruction.grad == 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_silence_explained_by_silence_costs_nothing(name):
    assert DIVERGENCES[name](torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("name", NAMES)
@given(
    pair=hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0, 1e3).map(lambda value: 0.0 if value < 1e-6 else value))
)
def test_divergence_is_not_negative_and_zero_for_equals(name, pair):
    frames, reconstruction = torch.tensor(pair)
    assert (DIVERGENCES[name](frames, reconstruction) >= -1e-10).all()
    np.testing.assert_allclose(DIVERGENCES[name](frames, frames), 0, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_frames_do_not_mix(name):
    frames, reconstruction = positive((6, 5)), positive((6, 5), seed=1)
    together = DIVERGENCES[name](frames, reconstruction)
    assert together.shape == (6,)
    alone = torch.stack([DIVERGENCES[name](frames[i], reconstruction[i]) for i in range(6)])
    torch.testing.assert_close(together, alone)


def test_itakura_saito_depends_on_ratios_only():
    frames, reconstruction = positive((2, 5)), positive((2, 5), seed=1)
    torch.testing.assert_close(
        itakura_saito_divergence(1000 * frames, 1000 * reconstruction), itakura_saito_divergence(frames, reconstruction)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_dtype_is_kept(name, dtype):
    assert DIVERGENCES[name](torch.ones(2, 3, dtype=dtype), torch.ones(2, 3, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(ValueError, match=r"must have one shape, got \(3, 4\) and \(1, 4\)"):
        DIVERGENCES[name](torch.ones(3, 4), torch.ones(1, 4))
