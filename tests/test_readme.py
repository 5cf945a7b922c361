"""What the README tells people to type."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def text():
    return README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["demo", "tests"])
def test_each_command_is_one_line_below_its_mark(text, name):
    blocks = re.findall(rf"^<!-- command: {name} -->\n```sh\n(.*?)```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    assert len(blocks[0].splitlines()) == 1


def test_the_python_example_runs_as_it_is(text, tmp_path, monkeypatch, quick_defaults):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)```$", text, re.MULTILINE | re.DOTALL)
    exec(compile(code, README.name, "exec"), {"__name__": "__main__"})
    assert sorted(path.name for path in Path("separated").iterdir()) == ["voice0.wav", "voice1.wav"]


def test_links_to_files_lead_somewhere(text):
    links = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)
    assert "docs/separation.png" in links and len(links) > 5
    assert [link for link in links if not (README.parent / link).exists()] == []
