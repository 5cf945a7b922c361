"""Behaviour of the row-wise minimisers."""

import pytest
import torch
from torch.nn.functional import softplus

from sklearn_gass.engine._lbfgs import follow_rmsprop, minimise_rows

DTYPES = [torch.float32, torch.float64]


def counted(objective):
    """Let an objective count its evaluations."""

    def wrapper(points, rows):
        wrapper.n_calls += 1
        return objective(points, rows)

    wrapper.n_calls = 0
    return wrapper


def with_gradients(values):
    """Make an objective of a differentiable function of points and rows."""

    def objective(points, rows):
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            result = values(points, rows)
            (gradients,) = torch.autograd.grad(result.sum(), points)
        return result.detach(), gradients

    return objective


@pytest.fixture
def quadratics(seed):
    """Function of a dtype and a condition number: 20 convex quadratics of 10 variables, their minima, and starts."""

    def make(dtype, condition=30.0):
        generator = torch.Generator().manual_seed(seed)
        factors = torch.randn(20, 10, 10, generator=generator, dtype=torch.float64)
        basis = torch.linalg.qr(factors).Q
        eigenvalues = torch.logspace(0, torch.tensor(condition).log10().item(), 10, dtype=torch.float64)
        matrices = ((basis * eigenvalues) @ basis.mT).to(dtype)
        minima, starts = torch.randn(2, 20, 10, generator=generator, dtype=torch.float64).to(dtype)

        def objective(points, rows):
            away = points - minima[rows]
            gradients = (matrices[rows] * away[:, None, :]).sum(2)
            return 0.5 * (away * gradients).sum(1), gradients

        return objective, minima, 3 * starts

    return make


@with_gradients
def rosenbrock(points, rows):
    """A curved valley of another steepness for each row; zero at ones."""
    steepness = 2.0 + rows.to(points.dtype) % 10
    return (steepness[:, None] * (points[:, 1:] - points[:, :-1] ** 2) ** 2 + (1 - points[:, :-1]) ** 2).sum(1)


@pytest.fixture
def valley_starts(seed):
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + torch.rand(100, 4, generator=generator, dtype=torch.float64)


class TestMinimiseRows:
    @pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-3), (torch.float64, 1e-6)])
    def test_finds_the_minima_of_quadratics(self, dtype, atol, quadratics):
        objective, minima, starts = quadratics(dtype)
        points, _ = minimise_rows(objective, starts, max_iter=100, tol=0.0)
        assert points.dtype == dtype
        torch.testing.assert_close(points, minima, rtol=0, atol=atol)

    def test_follows_curved_valleys(self, valley_starts):
        points, n_iter = minimise_rows(rosenbrock, valley_starts, max_iter=400, tol=0.0)
        assert n_iter < 400
        torch.testing.assert_close(points, torch.ones_like(points), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("max_iter", [1, 2, 5, 30])
    def test_no_row_ends_above_its_start(self, max_iter, dtype, valley_starts):
        starts = (6 * valley_starts - 6).to(dtype)  # far off, where first steps overshoot
        rows = torch.arange(len(starts))
        points, _ = minimise_rows(rosenbrock, starts, max_iter=max_iter, tol=0.0)
        before, after = rosenbrock(starts, rows)[0], rosenbrock(points, rows)[0]
        assert (after <= before * (1 + 100 * torch.finfo(dtype).eps)).all()
        if max_iter == 30:
            assert (after < before).all()

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("tol", [0.0, 1e-2])
    def test_a_row_is_the_same_in_every_batch(self, tol, dtype, valley_starts):
        """Bit for bit: alone, in a subset, permuted, and beside many others that stop sooner or later."""
        starts = (3 * valley_starts - 2).to(dtype)

        def solve(numbers):
            def objective(points, rows):
                return rosenbrock(points, numbers[rows])

            return minimise_rows(objective, starts[numbers], max_iter=40, tol=tol)[0]

        whole = solve(torch.arange(100))
        order = torch.randperm(100, generator=torch.Generator().manual_seed(1))
        assert torch.equal(solve(order), whole[order])
        for size in (2, 15, 16, 17, 33):
            assert torch.equal(solve(order[:size]), whole[order[:size]])
        for row in (0, 41, 99):
            assert torch.equal(solve(torch.tensor([row])), whole[[row]])
        many = torch.arange(1000) % 100
        assert torch.equal(solve(many), whole[many])

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("n_outputs", [12, 33, 257])
    def test_a_row_is_the_same_wherever_its_batch_ends(self, n_outputs, dtype, seed):
        """Some kernels, softplus among them, round otherwise in the last numbers of a tensor, which fill no vector."""
        generator = torch.Generator().manual_seed(seed)
        weights = torch.randn(8, n_outputs, generator=generator, dtype=torch.float64).to(dtype)
        frames = 3 * torch.rand(100, n_outputs, generator=generator, dtype=torch.float64).to(dtype)

        def solve(numbers):
            @with_gradients
            def objective(points, rows):
                generated = softplus((points[:, :, None] * weights).sum(1))
                return (generated - frames[numbers[rows]] * torch.log(generated)).sum(1)

            return minimise_rows(objective, torch.zeros(len(numbers), 8, dtype=dtype), max_iter=20, tol=1e-3)[0]

        whole = solve(torch.arange(100))
        for size in (1, 15, 16, 17, 32, 48, 64, 80):
            assert torch.equal(solve(torch.arange(size)), whole[:size])

    @pytest.mark.parametrize("max_iter", [1, 3, 7])
    def test_max_iter_bounds_the_evaluations(self, max_iter, valley_starts):
        objective = counted(rosenbrock)
        _, n_iter = minimise_rows(objective, valley_starts, max_iter=max_iter, tol=0.0)
        assert n_iter == max_iter
        assert objective.n_calls == 1 + max_iter

    def test_counts_the_steps_of_the_slowest_row(self, valley_starts):
        def slow_first(points, rows):
            values, gradients = rosenbrock(points, rows)
            at_rest = rows > 0
            return torch.where(at_rest, 1.0, values), torch.where(at_rest[:, None], 0.0, gradients)

        _, n_iter = minimise_rows(slow_first, valley_starts, max_iter=400, tol=1e-6)
        _, alone = minimise_rows(rosenbrock, valley_starts[:1], max_iter=400, tol=1e-6)
        assert n_iter == alone > 3

    def test_finished_rows_leave_the_batch(self, valley_starts):
        sizes = []

        def objective(points, rows):
            sizes.append(len(points))
            values, gradients = rosenbrock(points, rows)
            hard = (rows < 16)[:, None]
            return torch.where(hard[:, 0], values, 2.0), torch.where(hard, gradients, 0.0)

        minimise_rows(objective, valley_starts, max_iter=400, tol=0.0)
        assert sizes[0] == 128
        assert sizes[4] == 32

    def test_flat_rows_stay_and_stop(self):
        def flat(points, rows):
            return torch.full((len(points),), 5.0), torch.zeros_like(points)

        starts = torch.arange(6.0).reshape(3, 2)
        points, n_iter = minimise_rows(flat, starts, max_iter=50, tol=1e-3)
        assert torch.equal(points, starts)
        assert n_iter == 2

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("factor", [1e-6, 1e6])
    def test_unit_of_the_values_does_not_matter(self, factor, dtype, quadratics):
        objective, minima, starts = quadratics(dtype)

        def scaled(points, rows):
            values, gradients = objective(points, rows)
            return factor * values, factor * gradients

        points, _ = minimise_rows(scaled, starts, max_iter=100, tol=0.0)
        torch.testing.assert_close(points, minima, rtol=0, atol=1e-3 if dtype == torch.float32 else 1e-5)

    def test_badly_scaled_variables(self, quadratics):
        objective, _, starts = quadratics(torch.float64, condition=1e3)
        rows = torch.arange(len(starts))
        points, _ = minimise_rows(objective, starts, max_iter=200, tol=0.0)
        assert (objective(points, rows)[0] < 1e-6 * objective(starts, rows)[0]).all()

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf])
    def test_steps_to_undefined_values_are_rejected(self, bad):
        """The first trial leaves the domain of the logarithm."""

        @with_gradients
        def barrier(points, rows):
            inside = points[:, 0] < 0.1
            value = (points[:, 0] - 1).square() - 0.1 * torch.log((0.1 - points[:, 0]).clamp_min(1e-30))
            return torch.where(inside, value, bad)

        points, _ = minimise_rows(barrier, torch.zeros(3, 1, dtype=torch.float64), max_iter=100, tol=0.0)
        # where the derivative 2 (p - 1) + 0.1 / (0.1 - p) is zero
        expected = (1.1 - (1.1**2 - 4 * (0.1 - 0.05)) ** 0.5) / 2
        torch.testing.assert_close(points, torch.full_like(points, expected), rtol=0, atol=1e-5)

    def test_undefined_from_the_start(self):
        """Such a row stays, and the others do not notice."""

        def objective(points, rows):
            values, gradients = rosenbrock(points, rows)
            lost = rows == 1
            return torch.where(lost, torch.nan, values), torch.where(lost[:, None], torch.nan, gradients)

        starts = torch.full((3, 2), 0.5, dtype=torch.float64)
        points, _ = minimise_rows(objective, starts, max_iter=100, tol=0.0)
        assert torch.equal(points[1], starts[1])
        torch.testing.assert_close(points[[0, 2]], torch.ones(2, 2, dtype=torch.float64), rtol=0, atol=1e-5)

    def test_larger_tolerance_stops_sooner_and_higher(self, valley_starts):
        rows = torch.arange(len(valley_starts))
        (loose, few), (tight, many) = (
            minimise_rows(rosenbrock, valley_starts, max_iter=400, tol=tol) for tol in (0.5, 1e-8)
        )
        assert few < many
        assert rosenbrock(loose, rows)[0].sum() > rosenbrock(tight, rows)[0].sum()

    def test_leaves_the_start_as_it_was(self, quadratics):
        objective, _, starts = quadratics(torch.float64)
        copy = starts.clone()
        minimise_rows(objective, starts, max_iter=5, tol=0.0)
        assert torch.equal(starts, copy)


class TestFollowRmsprop:
    def test_takes_the_steps_of_the_textbook(self, quadratics):
        objective, _, starts = quadratics(torch.float64)
        rows = torch.arange(len(starts))
        points, mean_square = starts.clone(), torch.zeros_like(starts)
        for _ in range(7):
            gradients = objective(points, rows)[1]
            mean_square = 0.99 * mean_square + 0.01 * gradients**2
            points = points - 1e-3 * gradients / (mean_square.sqrt() + 1e-8)
        found, n_iter = follow_rmsprop(objective, starts, max_iter=7)
        assert n_iter == 7
        torch.testing.assert_close(found, points)
        assert not torch.equal(found, starts)

    def test_rows_are_apart(self, quadratics):
        objective, _, starts = quadratics(torch.float64)
        whole, _ = follow_rmsprop(objective, starts, max_iter=5)
        part, _ = follow_rmsprop(lambda points, rows: objective(points, rows + 7), starts[7:9], max_iter=5)
        assert torch.equal(part, whole[7:9])
