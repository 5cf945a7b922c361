"""The program as a process: its streams, signals and exit status. A stand-in for a command spares the heavy imports."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import sklearn_gass

STAND_IN = """
import sys, types
from pathlib import Path
from sklearn_gass.cli import main
from sklearn_gass.cli._console import CommandError
from sklearn_gass.cli._outputs import staged

def run(args, console):
    {body}

sys.modules["sklearn_gass.cli._evaluate"] = types.SimpleNamespace(run=run)
sys.argv = ["sklearn-gass", *"evaluate --references a=a --estimates a=a".split()]
sys.exit(main())
"""


def program(body):
    return [sys.executable, "-c", STAND_IN.format(body=textwrap.indent(body, "    ").strip())]


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def buffering(request, monkeypatch):
    """Where output is not buffered, it fails at once and not when it is flushed."""
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


def run(command, shell="", **options):
    """Run a program, with redirections of a shell behind its arguments."""
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", **options)


# streams


def test_closed_streams_are_no_error(tmp_path, buffering):
    body = f"console.result('a result'); console.notice('a notice'); Path({str(tmp_path)!r}, 'done').touch()"
    for shell in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        done = run(program(body), shell)
        assert (done.returncode, (tmp_path / "done").exists()) == (0, True), shell
        assert done.stdout + done.stderr in ("a result\n", "a notice\n", "")
        (tmp_path / "done").unlink()


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    body = f"""
with open({str(tmp_path / "data")!r}, "w") as file:
    import os
    print("a print of some library", flush=True)
    os.write(1, b"one from C")
    file.write("data")
"""
    done = run(program(body), ">&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "data").read_text() == "data"


def test_full_standard_output_stops_no_work(tmp_path, buffering):
    body = f"console.result('one'); console.result('two'); Path({str(tmp_path)!r}, 'done').touch()"
    done = run(program(body), ">/dev/full")
    assert done.stderr == "sklearn-gass: error: Standard output cannot be written: No space left on device.\n"
    assert done.returncode == 1
    assert (tmp_path / "done").exists()


def test_full_standard_error_stops_no_work(buffering):
    done = run(program("console.notice('one'); console.result('two')"), "2>/dev/full")
    assert (done.returncode, done.stdout) == (0, "two\n")
    assert run(program("raise CommandError('bad')"), "2>/dev/full").returncode == 1


def test_reader_that_goes_away_stops_no_work(tmp_path, buffering):
    body = f"for i in range(20000): console.result(str(i))\nPath({str(tmp_path)!r}, 'done').touch()"
    done = run(program(body), "| head -1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stdout, done.stderr) == (1, "0\n", "")
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["separate", "--help"], ["--version"]])
def test_help_that_cannot_be_printed(arguments, buffering):
    done = run([sys.executable, "-m", "sklearn_gass", *arguments], ">/dev/full")
    assert done.stderr == "sklearn-gass: error: Standard output cannot be written: No space left on device.\n"
    assert done.returncode == 1


def test_wrong_usage_that_cannot_be_said(buffering):
    assert run([sys.executable, "-m", "sklearn_gass", "magic"], "2>/dev/full").returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_letters_that_an_encoding_lacks_are_escaped(encoding):
    body = r"console.result('a\u7d46'); console.result('b\u00e9'); console.notice('c\u7d46')"
    done = subprocess.run(program(body), capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert done.returncode == 0
    assert done.stdout == "a\u7d46\nb\u00e9\n".encode(encoding, "backslashreplace")
    assert done.stderr == "c\u7d46\n".encode(encoding, "backslashreplace")


def test_nothing_steers_the_terminal():
    body = r"""
name = "x\x1b[31m\r\n\x9b\u202e\udce9.wav"
console.result(name)
console.notice(name)
import warnings
warnings.warn(name)
raise CommandError(f"No {name}")
"""
    done = run(program(body))
    assert done.stdout == r"x\x1b[31m\r\n\x9b\u202e\xe9.wav" + "\n"
    assert done.stderr.splitlines() == [
        r"x\x1b[31m\r\n\x9b\u202e\xe9.wav",
        r"x\x1b[31m \x9b\u202e\xe9.wav",
        r"sklearn-gass: error: No x\x1b[31m \x9b\u202e\xe9.wav",
    ]


@pytest.mark.parametrize("arguments", ["\x1b[31m", "separate m --train a=b --\x1b[31m", "evaluate --m\x1b"])
def test_nothing_in_wrong_usage_steers_the_terminal(arguments):
    done = run([sys.executable, "-m", "sklearn_gass", *arguments.split()])
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


# errors


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError",
        "np.empty(10**18)",
        'RuntimeError("[enforce fail] DefaultCPUAllocator: can\'t allocate memory: you tried to allocate 8 bytes.")',
        "OSError(12, 'Cannot allocate memory')",
        "SystemError('error return without exception set')",
        "ImportError('x.so: failed to map segment from shared object')",
        "CommandError('wrapped') from MemoryError()",
    ],
)
def test_too_little_memory_is_a_sentence(error):
    done = run(program(f"import numpy as np\nraise {error}" if "np" not in error else f"import numpy as np\n{error}"))
    assert done.stderr == (
        "sklearn-gass: error: Too little memory. Shorter files, fewer training files, or a lower --sample-rate need "
        "less; so does closing other programs.\n"
    )
    assert done.returncode == 1


def test_what_the_operating_system_refuses_is_a_sentence():
    done = run(program("raise OSError(24, 'Too many open files', 'x\\x1b.wav')"))
    assert (done.returncode, done.stderr) == (1, "sklearn-gass: error: x\\x1b.wav: Too many open files\n")


def test_a_missing_library_is_a_sentence():
    done = run(program("import no_such_library"))
    assert done.stderr == (
        "sklearn-gass: error: A library cannot be loaded (No module named 'no_such_library'). All that is needed: "
        "pip install 'sklearn_gass[cli]'\n"
    )
    assert done.returncode == 1


@pytest.mark.parametrize("words", ["out of memory", "cannot allocate memory"])
def test_names_of_files_are_no_errors(words):
    done = run(program(f"raise CommandError('The file {words}.wav is damaged.')"))
    assert done.stderr == f"sklearn-gass: error: The file {words}.wav is damaged.\n"


def test_a_fault_of_the_program_keeps_its_traceback():
    done = run(program("raise KeyError('fault')"))
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "KeyError: 'fault'" in done.stderr


# signals

SIGNALS = [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM"), (signal.SIGHUP, "ended by SIGHUP")]


def interrupt(command, *numbers, cwd=None):
    """Send signals once the program says that it is ready; return what it said after that, and its status."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    said = process.communicate(timeout=60)[1]
    return said, process.returncode


WRITING = """
import time
with staged(Path("out/mix")) as scratch:
    (scratch / "a.wav").write_text("half")
    console.result("ready")
    {wait}
"""


@pytest.mark.parametrize(("number", "word"), SIGNALS)
def test_signals_leave_nothing_unfinished(tmp_path, number, word):
    said, status = interrupt(program(WRITING.format(wait="time.sleep(60)")), number, cwd=tmp_path)
    assert said == f"sklearn-gass: error: {word}; what was unfinished has been removed.\n"
    assert status == 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "word"), SIGNALS)
def test_signals_while_libraries_load(number, word):
    loading = """
import sys, time
from importlib.abc import MetaPathFinder
class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            print("ready", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
from sklearn_gass.cli import main
sys.argv = ["sklearn-gass", "demo"]
main()
"""
    said, status = interrupt([sys.executable, "-c", loading], number)
    assert said == f"sklearn-gass: error: {word}.\n"
    assert status == 128 + number


def test_a_second_signal_does_not_stop_the_cleaning(tmp_path):
    slow_removal = """
import shutil
remove = shutil.rmtree
def rmtree(path, **options):
    console.result("removing")
    time.sleep(0.5)
    remove(path, **options)
shutil.rmtree = rmtree
"""
    body = slow_removal + WRITING.format(wait="time.sleep(60)")
    said, status = interrupt(program(body), signal.SIGTERM, signal.SIGINT, signal.SIGTERM, cwd=tmp_path)
    assert said.count("\n") == 1
    assert status in (130, 143)
    assert list(tmp_path.iterdir()) == []


def test_results_move_all_or_none(tmp_path):
    """A signal between two files of a result waits until the last has moved."""
    body = """
import os, time
replace = os.replace
def slow_replace(source, target):
    replace(source, target)
    console.result("ready")
    time.sleep(0.5)
os.replace = slow_replace
with staged(Path("out/mix")) as scratch:
    (scratch / "a.wav").touch()
    (scratch / "b.wav").touch()
time.sleep(60)
"""
    status = interrupt(program(body), signal.SIGTERM, cwd=tmp_path)[1]
    assert status == 143
    assert sorted(path.name for path in (tmp_path / "out" / "mix").iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    "swallow",
    [
        "try: time.sleep(60)\n    except KeyboardInterrupt: pass",
        "try: time.sleep(60)\n    except KeyboardInterrupt: raise ImportError('initialization failed')",
        "try: time.sleep(60)\n    except KeyboardInterrupt: raise OSError('Cannot write')",
        "import soundfile\n    class Slow:\n        def write(self, content): time.sleep(60)\n"
        "        def seek(self, *offset): return 0\n        def tell(self): return 0\n"
        "    soundfile.write(Slow(), [0.0], 8000, format='WAV')",
    ],
)
def test_a_signal_is_not_lost_in_a_library(tmp_path, swallow):
    said, status = interrupt(program(WRITING.format(wait=swallow)), signal.SIGTERM, cwd=tmp_path)
    assert said == "sklearn-gass: error: ended by SIGTERM; what was unfinished has been removed.\n"
    assert status == 143
    assert list(tmp_path.iterdir()) == []


def test_ignored_signals_stay_ignored(tmp_path):
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    command = program("console.result('ready')\nimport time; time.sleep(0.5)")
    command[2] = ignoring + command[2]
    assert interrupt(command, signal.SIGHUP) == ("", 0)


def test_the_function_leaves_signals_alone():
    script = """
import signal
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
from sklearn_gass.cli import main
try:
    main(["--version"])
except SystemExit:
    pass
print(before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
"""
    assert run([sys.executable, "-c", script]).stdout.splitlines()[-1] == "True"


def test_module_runs_the_command_line():
    done = run([sys.executable, "-m", "sklearn_gass", "--version"])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"sklearn-gass {sklearn_gass.__version__}\n", "")
