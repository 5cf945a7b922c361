"""Docstrings of everything public are what numpydoc asks for."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

API = Path(__file__).parents[1] / "docs" / "api.rst"
IGNORED = {
    "ES01",  # one sentence may be enough
    "EX01",  # the page of a class has an example, not each of its methods
    "SA01",  # nor does each need to see something else
    "RT02",  # what is returned has a name, as in scikit-learn
    "RT04",  # a Bunch is described by its fields
}
# Methods of tensors, which say all in one sentence, and others with a reason
LEFT_OUT = {
    r"sklearn_gass\.engine\.\w+\.\w+": {"PR01", "RT01"},
    r"sklearn_gass\.SupervisedSeparator\.for_recordings": {"RT01"},
    r".*\.get_feature_names_out": {"PR09"},  # it ends with "x0, x1, …"
    r"sklearn_gass\.progress\.on_progress": {"YD01"},  # a context that yields nothing
}


def documented():
    """Return the names in the API reference."""
    module, names = "", []
    for line in API.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.fullmatch(r"   (\w+)", line):
            names.append(f"{module}.{found[1]}")
    return names


def with_methods(name):
    """Return a name, and if it is a class those of the methods that the library defines, with their objects."""
    module, _, own = name.rpartition(".")
    found = {name: getattr(importlib.import_module(module), own)}
    if inspect.isclass(found[name]):
        for method, value in inspect.getmembers(found[name]):
            function = getattr(value, "fget", value)
            is_code = inspect.isfunction(function) or inspect.ismethod(function)
            if is_code and not method.startswith("_") and function.__module__.startswith("sklearn_gass"):
                found[f"{name}.{method}"] = value
    return found


def may_lack(name, value):
    """Return codes of what this docstring may lack."""
    codes = IGNORED | {code for names, left in LEFT_OUT.items() if re.fullmatch(names, name) for code in left}
    if hasattr(value, "__dataclass_fields__") or hasattr(value, "_fields"):
        codes.add("PR01")  # fields are documented as attributes
    if inspect.getdoc(value):
        codes.add("GL08")  # an overridden method has the docstring of the one above
    return codes


@pytest.mark.parametrize("name", documented())
def test_numpydoc_finds_nothing_to_complain_about(name):
    found = []
    for part, value in with_methods(name).items():
        errors = validate(part)["errors"]
        found += [f"{part}: {code} {text}" for code, text in errors if code not in may_lack(part, value)]
    assert found == []
