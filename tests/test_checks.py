"""The commands that check the project say the same wherever they stand."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_hooks_are_checks_of_the_test_command():
    hooks = re.findall(r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    checks = re.findall(r"^    (.+)$", (ROOT / "tests" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert "mypy" in hooks
    assert [hook for hook in hooks if hook not in [*checks, "tests/run"]] == []


def test_unknown_words_run_nothing():
    result = subprocess.run([ROOT / "tests" / "run", "exlpore"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "tests/run has no 'exlpore'" in result.stderr
