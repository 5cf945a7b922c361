"""What a notebook shows of a fitted separator: scikit-learn's diagram, and a table of what was trained."""

from __future__ import annotations

from html import escape
from typing import Any

from sklearn_gass.separation._fitting import detector_of, unfrozen, with_inner


class ShowsItsParts:
    """Base of estimators whose picture in a notebook has a table of their fitted parts below it."""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += parts_html(self)
        return bundle

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) + parts_html(self)  # type: ignore[misc]


def parts_html(separator: Any) -> str:
    """Return a table of the source models, the start and the critic of a separator; nothing before `fit`."""
    separator = with_inner(separator)[-1]
    if not hasattr(separator, "source_models_"):
        return ""
    models = zip(separator.classes_, map(unfrozen, separator.source_models_), strict=True)
    rows = [(f"source {label}", *_trained(model)) for label, model in models]
    detector = detector_of(separator.source_models_)
    learned = {"start": separator.start_, "critic": separator.critic_, "detector": detector}
    rows += [(name, *_trained(part)) for name, part in learned.items() if part is not None]
    heads = "".join(f'<th scope="col" style="text-align:left">{head}</th>' for head in _HEADS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


_HEADS = ("part", "class", "latents", "training")


def _trained(part: Any) -> tuple[str, str, str]:
    """Return class, number of latents and length of training of a fitted part."""
    length = getattr(part, "n_iter_", None)
    if length is not None:
        training = f"{'epochs' if hasattr(part, 'weights_') else 'updates'}: {length}"
    elif hasattr(part, "history_"):
        training = f"steps: {part.max_iter}"
    else:
        training = "none"
    return type(part).__name__, str(getattr(part, "n_components", "")), training
