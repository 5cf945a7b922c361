"""``sklearn-gass search``: choose critic weight, mask exponent and source model by cross-validation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from sklearn_gass import SupervisedSeparatorCV
from sklearn_gass.cli._console import CommandError, Console, stated, text_table
from sklearn_gass.cli._outputs import check_file_names
from sklearn_gass.cli._plan import Plan, unique
from sklearn_gass.cli._train import check_model_path, write_model
from sklearn_gass.cli._training import TrainingSet, group_by_label, read_training_set
from sklearn_gass.cli._training_files import TrainingFiles
from sklearn_gass.display import format_decibel

_WITHOUT_CRITIC = {"nmf"}


class Candidate(NamedTuple):
    """One choice and its score.

    Attributes
    ----------
    model : str
        Name of the source model.
    critic_weight, mask_exponent : float
        What was tried.
    mean, std : float
        Score over the folds in dB.
    """

    model: str
    critic_weight: float
    mask_exponent: float
    mean: float
    std: float


def run(args: argparse.Namespace, console: Console) -> None:
    """Try all candidates, print them, and keep the best."""
    sources = group_by_label(args.sources, "the command")
    check_file_names(list(sources))
    plans = _plans(args, list(sources))
    card = unique(args.card, "--card")
    files = TrainingFiles(sources, [], args.output)
    if args.output is not None:
        check_model_path(args.output, files, overwrite=args.overwrite)
    with console.progress(len(files) + sum(plan.cost for plan in plans) + 1) as begin:
        data = read_training_set(files, args.sample_rate, console, begin, strict=args.strict)
        console.notice(f"Searching on {data.description}. {files.describe_skipped()}".strip())
        searches = {}
        for plan in plans:
            begin(f"Searching {plan.title}", plan.cost)
            searches[plan.title] = _search(plan, data, args)
        begin("Writing")
        title, best = max(searches.items(), key=lambda item: item[1].best_score_)
        choice = f"{title}, critic weight {best.critic_weight_:g}, mask exponent {best.mask_exponent_:g}"
        path = None
        if args.output is not None:
            score = f"{choice}: {args.scoring} {best.best_score_:.1f} dB in {best.n_splits_} folds"
            kept = {"trained on": data.description, "chosen by search": score, **card}
            path = write_model(best.separator_, args.output, kept, overwrite=args.overwrite)
    candidates = [candidate for name, search in searches.items() for candidate in _candidates(name, search)]
    candidates.sort(key=lambda candidate: -candidate.mean)
    _print(candidates, args.scoring, console)
    console.result("", f"Best: {choice}.", *([] if path is None else [str(path)]))
    console.report(
        {
            "model": None if path is None else str(path),
            "scoring": args.scoring,
            "unit": "dB",
            "n_folds": best.n_splits_,
            "candidates": [candidate._asdict() for candidate in candidates],
            **files.summary(),
        }
    )


def _plans(args: argparse.Namespace, labels: Sequence[str]) -> list[Plan]:
    """Return what to train for each source model that is tried, after checking its parameters."""
    if any(label is not None for label, _ in args.model):
        raise CommandError("search compares source models for all sources: give --model without labels.")
    names = list(dict.fromkeys(name for _, name in args.model)) or ["vae"]
    settings = unique(args.settings, "--set")
    plans = [Plan(dict.fromkeys(labels, name), settings, args.seed, args.device) for name in names]
    for plan in plans:
        plan.make(args.sample_rate or 16000)
    return plans


def _search(plan: Plan, data: TrainingSet, args: argparse.Namespace) -> Any:
    without = set(plan.models.values()) <= _WITHOUT_CRITIC
    search = SupervisedSeparatorCV(
        plan.make(data.sample_rate),
        critic_weights=[0.0] if without else args.critic_weights,
        mask_exponents=args.mask_exponents,
        cv=args.folds,
        scoring=args.scoring,
        n_jobs=args.jobs,
        random_state=args.seed,
    )
    with stated("Training"):
        return search.fit(data.waves, data.labels)


def _candidates(title: str, search: Any) -> list[Candidate]:
    results = search.cv_results_
    rows = zip(results["params"], results["mean_test_score"], results["std_test_score"], strict=True)
    return [
        Candidate(
            title,
            float(params["separator__critic_weight"]),
            float(params.get("separator__mask_exponent", search.mask_exponent_)),
            float(mean),
            float(std),
        )
        for params, mean, std in rows
    ]


def _print(candidates: Sequence[Candidate], scoring: str, console: Console) -> None:
    columns = ["model", "critic weight", "mask exponent", f"{scoring} in dB", "std"]
    rows = {
        f"{rank}.": [
            candidate.model,
            "none" if candidate.model in _WITHOUT_CRITIC else f"{candidate.critic_weight:g}",
            f"{candidate.mask_exponent:g}",
            format_decibel(candidate.mean),
            format_decibel(candidate.std),
        ]
        for rank, candidate in enumerate(candidates, 1)
    }
    console.result(*text_table(rows, columns))
