"""How long training takes, roughly, so that progress can be told of parts that differ in it."""

from __future__ import annotations


def step_cost(n_rows: int, n_weights: float) -> float:
    """Return about how many milliseconds a training step takes on one core.

    The numbers were measured with 17,000 and with 800,000 weights. Only ratios matter to what they are used for.
    """
    return 2.0 + 1.5e-7 * n_rows * n_weights
