"""Limited-memory BFGS for many independent small problems at once, one a row.

Step lengths, curvature pairs and stopping are each row's own, so a row's result does not depend on the rows it is
batched with. One evaluation is spent per step, on all rows that are still moving.

References
----------
J. Nocedal, S. Wright, "Numerical Optimization", 2nd edition, Springer 2006, chapter 7.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From points (n, d) and the problems (n,) they belong to, to values (n,) and gradients (n, d)."""

_MEMORY = 8
_ROW_BLOCK = 32  # so many rows of any width fill whole vectors, so kernels round a row alike in every batch
_SUFFICIENT_DECREASE = 1e-4
_SHRINK = 0.3
_SHORTEST_STEP = 1e-4


def row_blocks(n_rows: int, device: torch.device) -> Tensor:
    """Return row numbers with the last one repeated to fill whole blocks."""
    return torch.arange(_filled(n_rows), device=device).clamp_(max=n_rows - 1)


def _filled(n_rows: int) -> int:
    return -(-n_rows // _ROW_BLOCK) * _ROW_BLOCK


def minimise_rows(objective: Objective, start: Tensor, *, max_iter: int, tol: float) -> tuple[Tensor, int]:
    """Minimise every row's objective.

    Parameters
    ----------
    objective : callable
        Values and gradients for points and the rows they belong to.
    start : Tensor of shape (n_rows, n_variables)
        First points.
    max_iter : int
        Steps at most.
    tol : float
        A row stops once two successive steps lower its value by less than this, relatively.

    Returns
    -------
    points : Tensor of shape (n_rows, n_variables)
        Best points found; none is worse than its start.
    n_iter : int
        Steps of the row that took most.
    """
    rows = row_blocks(len(start), start.device)
    best, n_iter = start.clone(), 0
    batch = _Batch(objective, start[rows], rows)
    while n_iter < max_iter and batch.active.any():
        n_iter += 1
        batch.step(objective)
        done = batch.active if n_iter == max_iter else batch.finished(tol)
        best[batch.rows[done]] = batch.points[done]
        batch.retire(done)
    return best, n_iter


def follow_rmsprop(objective: Objective, start: Tensor, *, max_iter: int) -> tuple[Tensor, int]:
    """Take a fixed number of RMSprop steps at a rate of 0.001, as the method's paper does.

    Parameters
    ----------
    objective : callable
        Values and gradients for points and the rows they belong to.
    start : Tensor of shape (n_rows, n_variables)
        First points.
    max_iter : int
        Steps.

    Returns
    -------
    points : Tensor of shape (n_rows, n_variables)
        Last points.
    n_iter : int
        Steps.
    """
    points, rows = start.clone(), torch.arange(len(start), device=start.device)
    optimiser = torch.optim.RMSprop([points], lr=1e-3)
    for _ in range(max_iter):
        points.grad = objective(points, rows)[1]
        optimiser.step()
    return points, max_iter


class _Batch:
    """Points, values, gradients and curvature of the rows at work, and of a few finished ones that fill up a block."""

    def __init__(self, objective: Objective, points: Tensor, rows: Tensor) -> None:
        self.rows, self.points = rows, points
        self.values, self.gradients = objective(points, rows)
        self.active = torch.ones_like(rows, dtype=torch.bool)
        self.lengths = torch.ones_like(self.values)
        self.decreases = torch.full_like(self.values, torch.inf)
        self.idle_steps = torch.zeros_like(rows)
        self.history = _History(self.gradients)

    def step(self, objective: Objective) -> None:
        """Try one step of each row; a row that does not descend stays and tries a shorter one next."""
        direction = self.history.direction(self.gradients)
        slopes = (self.gradients * direction).sum(1)
        trial = torch.addcmul(self.points, self.lengths[:, None], direction)
        values, gradients = objective(trial, self.rows)
        self.history.push(trial - self.points, gradients - self.gradients)  # a rejected trial teaches curvature, too
        rounding = 16 * torch.finfo(values.dtype).eps * self.values.abs()
        accepted = values <= self.values + _SUFFICIENT_DECREASE * self.lengths * slopes + rounding
        self.decreases = torch.where(accepted, self.values - values, torch.inf)
        self.lengths = torch.where(accepted, 1.0, self.lengths * _SHRINK)
        self.values = torch.where(accepted, values, self.values)
        self.points = torch.where(accepted[:, None], trial, self.points)
        self.gradients = torch.where(accepted[:, None], gradients, self.gradients)

    def finished(self, tol: float) -> Tensor:
        """Return which active rows have come to rest."""
        idle = self.decreases <= tol * self.values.abs()
        self.idle_steps = torch.where(idle, self.idle_steps + 1, 0)
        return self.active & ((self.idle_steps >= 2) | (self.lengths < _SHORTEST_STEP))

    def retire(self, done: Tensor) -> None:
        """Stop working on rows: they leave the batch, save those that fill up a block."""
        self.active = self.active & ~done
        wanted = _filled(int(self.active.sum()))
        if wanted > 0.9 * len(self.rows):
            return
        keep = torch.argsort(~self.active, stable=True)[:wanted]
        for name in ("rows", "points", "values", "gradients", "active", "lengths", "decreases", "idle_steps"):
            setattr(self, name, getattr(self, name)[keep])
        self.history.keep(keep)


class _History:
    """The last curvature pairs of every row, as a ring; a pair that a row rejects is stored as zeros."""

    def __init__(self, gradients: Tensor) -> None:
        self.steps = gradients.new_zeros(_MEMORY, *gradients.shape)
        self.changes = torch.zeros_like(self.steps)
        self.inverses = gradients.new_zeros(_MEMORY, len(gradients), 1)
        self.order = list(range(_MEMORY))  # oldest first
        self.scaling = (0.5 / gradients.norm(dim=1, keepdim=True)).clamp_(max=1)

    def push(self, steps: Tensor, changes: Tensor) -> None:
        """Remember a pair of every row in place of its oldest."""
        curvature = (steps * changes).sum(1, keepdim=True)
        square = changes.square().sum(1, keepdim=True)
        good = curvature > 1e-8 * square  # False for NaN, too
        slot = self.order.pop(0)
        self.order.append(slot)
        self.steps[slot] = torch.where(good, steps, 0)
        self.changes[slot] = torch.where(good, changes, 0)
        self.inverses[slot] = torch.where(good, 1 / curvature, 0)
        self.scaling = torch.where(good, curvature / square, self.scaling)

    def direction(self, gradients: Tensor) -> Tensor:
        """Return minus the inverse Hessian estimate times the gradient, by the two-loop recursion."""
        direction, products = -gradients, {}
        for i in reversed(self.order):
            products[i] = (self.steps[i] * direction).sum(1, keepdim=True).mul_(self.inverses[i])
            direction.addcmul_(products[i], self.changes[i], value=-1)
        direction *= self.scaling
        for i in self.order:
            back = (self.changes[i] * direction).sum(1, keepdim=True).mul_(self.inverses[i])
            direction.addcmul_(products[i] - back, self.steps[i])
        return direction

    def keep(self, rows: Tensor) -> None:
        """Forget all other rows."""
        self.steps, self.changes, self.inverses = self.steps[:, rows], self.changes[:, rows], self.inverses[:, rows]
        self.scaling = self.scaling[rows]
