"""The order of layers: a module imports from lower levels only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_gass
from sklearn_gass.cli._options import COMMANDS

PACKAGE = Path(sklearn_gass.__file__).parent

# One module or subpackage stands for all in it. Inside a subpackage modules may import each other.
LEVELS = [
    {"_random", "_validation", "_signals", "_framing", "_rumble", "_versioned", "_files", "progress"},
    {"_container"},
    {"_checkpoints"},
    {"stft", "divergences", "masks", "datasets", "audio_io", "display"},
    {"metrics"},
    {"scoring"},
    {"networks"},
    {"engine", "_bases"},
    {"_mixture_learning"},
    {"detectors"},
    {"source_models"},
    {"starts", "critics"},
    {"separation"},
    {"base_models", "paper", "presets", "persistence", "search_display"},
    {"training_display", "web"},
    {"cli"},
    {"__init__", "__main__"},
]
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
# The command line is a user of the public interface and may import it from the package itself.
MAY_IMPORT_THE_PACKAGE = {"cli", "__main__"}

FILES = sorted(PACKAGE.rglob("*.py"))


def unit(path):
    """Return the module or subpackage, directly under the package, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Yield module and name of every import of a file, at its top or in a function; the name is None for a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} has a relative import"
            yield from ((node.module, alias.name) for alias in node.names)


def imported_units(path):
    """Yield the units of this package that a file imports; "__init__" for the package itself."""
    for module, name in imports(path):
        root, *parts = module.split(".")
        if root != "sklearn_gass":
            continue
        if not parts and name is not None and (PACKAGE / name).with_suffix(".py").exists() | (PACKAGE / name).is_dir():
            parts = [name]
        yield parts[0] if parts else "__init__"


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def test_files_were_found():
    assert {"engine/_inference.py", "separation/_separator.py"} <= set(map(name_of, FILES))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_lower_levels_only(path):
    own = unit(path)
    assert own in LEVEL_OF, f"{own} has no level yet: add it to LEVELS of this test"
    for other in imported_units(path):
        if other == own or (other == "__init__" and own in MAY_IMPORT_THE_PACKAGE):
            continue
        assert other in LEVEL_OF, f"{name_of(path)} imports {other}, which has no level"
        assert LEVEL_OF[other] < LEVEL_OF[own], f"{name_of(path)} imports {other}, which is no lower level"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_one_module_imports_private_names_of_scikit_learn(path):
    private = [
        f"{module}.{name}"
        for module, name in imports(path)
        if module.split(".")[0] == "sklearn" and any(part.startswith("_") for part in [*module.split("."), name or ""])
    ]
    assert bool(private) == (unit(path) == "_validation"), private


# Plots, sound, training loops, and what only they need.
HEAVY = {
    *("matplotlib", "PIL", "IPython", "librosa", "soundfile", "soxr", "audioread", "numba", "skorch", "mir_eval"),
    *("pandas", "polars", "torchaudio", "tensorboard"),
}
SEPARATE_WITH_NMF = """
import numpy as np
from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
waves = np.random.default_rng(0).normal(size=(4, 3000)).astype(np.float32)
audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(2, max_iter=2), max_iter=2))
assert audio.fit(list(waves), list("aabb")).separate(waves[0]).sources.shape == (2, 3000)
"""
FIT_A_NETWORK = """
import numpy as np
from sklearn_gass import VAESourceModel
VAESourceModel(2, hidden_layer_sizes=(3,), max_iter=1).fit(np.ones((5, 4)))
"""


@pytest.mark.parametrize(
    ("program", "needed"),
    [
        ("import sklearn_gass", set()),
        ("import sklearn_gass.cli", set()),
        (SEPARATE_WITH_NMF, set()),
        (FIT_A_NETWORK, {"skorch"}),
    ],
    ids=["import", "command line", "separation with NMF", "fit of a network"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(program, needed):
    """Whatever scikit-learn and torch load themselves does not count."""
    script = (
        "import sys, joblib, numpy, scipy, sklearn.utils, torch\n"
        f"before = set(sys.modules)\n{program}\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "sklearn_gass" in loaded
    assert loaded & HEAVY == needed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in COMMANDS),
        ["--version"],
        ["separate"],
        ["train", "-o", "x"],
        ["magic"],
    ],
    ids=" ".join,
)
def test_help_and_wrong_usage_load_no_library(arguments):
    script = (
        "import sys\nfrom sklearn_gass.cli import main\n"
        f"try: main({arguments})\nexcept SystemExit: print('loaded', *sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = result.stdout.splitlines()[-1].split()
    assert loaded[0] == "loaded" and "sklearn_gass.cli" in loaded
    assert not {"numpy", "scipy", "sklearn", "torch", "joblib", "tqdm", "av", "argcomplete", *HEAVY} & set(loaded)


def test_every_public_module_is_an_attribute_of_the_package():
    names = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    public = {name for name in names if not name.startswith("_")} - {"cli"}
    script = f"import sklearn_gass\nfor name in {sorted(public)}: getattr(sklearn_gass, name)"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert public <= set(dir(sklearn_gass))


def test_every_public_name_is_there_and_no_other():
    for name in sklearn_gass.__all__:
        assert getattr(sklearn_gass, name).__module__.startswith("sklearn_gass.")
    assert set(sklearn_gass.__all__) <= set(dir(sklearn_gass))
    with pytest.raises(AttributeError, match="has no attribute 'magic'"):
        _ = sklearn_gass.magic
    with pytest.raises(ImportError):
        from sklearn_gass import magic  # noqa: F401


def test_type_checkers_know_every_public_name():
    """The names are imported for them in a branch that never runs."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    known = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert known - {"import_module"} == set(sklearn_gass.__all__)
