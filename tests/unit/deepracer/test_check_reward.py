"""Reward functions that are wrong in every way: found, with the line, and nobody is hurt."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import psutil
import pytest

from fleet.workloads.deepracer.checking import judging, process
from fleet.workloads.deepracer.checking.model import ACROSS, ALONG, CheckResult
from fleet.workloads.deepracer.checking.process import Limits
from fleet.workloads.deepracer.checking.sandbox import seccomp
from fleet.workloads.deepracer.findings import Finding
from tests.unit.deepracer.models import Model, codes

IMPATIENT = Limits(call=0.5, load=5.0, total=10.0)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path)


def tried(model: Model, body: str, *, before: str = "", **spec: Any) -> CheckResult:
    """A function of this body, which begins in line 2 behind what stands before it."""
    inner = dedent(body).strip().replace("\n", "\n    ")
    return model.reward(f"{before}def reward_function(params):\n    {inner}\n").check(120, **spec)


def only(result: CheckResult) -> Finding:
    """The one error."""
    errors = [one for one in result.findings if one.severity == "error"]
    assert len(errors) == 1, result.findings
    assert errors[0].file == "reward_function.py"
    assert errors[0].remedy
    return errors[0]


@pytest.mark.parametrize(
    ("body", "code", "line", "words"),
    [
        ('return 1 / (params["steps"] - 7)', "exception", 2, "ZeroDivisionError"),
        ('return params["spede"]', "exception", 2, "KeyError: 'spede' (101 times; first with"),
        ('return params["objects_location"][params["closest_objects"][0]][0]', "exception", 2, "IndexError"),
        ('x = [0.0] * 500\nreturn x[params["steps"]]', "exception", 3, "TypeError"),  # steps are counted with a float
        ('if params["is_reversed"]:\n    return None\nreturn 1.0', "not-a-number", 3, "None (NoneType)"),
        ("pass", "not-a-number", 2, "None"),
        ('return "much"', "not-a-number", 2, "'much'"),
        ("return 1j", "not-a-number", 2, "complex"),
        ("return [1.0]", "not-a-number", 2, "list"),
        ('if params["is_offtrack"]:\n    return float("nan")\nreturn 1.0', "not-finite", 3, "nan"),
        ('return params["speed"] * 1e400', "not-finite", 2, "inf"),
        ("return -1e6", "range", 2, "100000"),
        ("return reward_function(params)", "recursion", 2, "itself"),
        ("raise SystemExit(0)", "exit", 2, "ends the program"),
        ("return bytearray(4_000_000_000)", "memory", 2, "memory"),
    ],
)
def test_what_a_call_does_wrong_is_found_with_its_line(model: Model, body: str, code: str, line: int, words: str) -> None:
    error = only(tried(model, body))
    assert (error.code, error.line) == (f"reward-{code}", line)
    assert words in error.message


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("def reward_function(params:\n    return 1.0\n", "syntax", 1, "was never closed"),
        ("\n\n  {not python}\n", "syntax", 3, "no Python"),
        ("\x00\x01\x02", "syntax", None, "null byte"),
        ("(" * 5000, "syntax", None, "no Python"),
        ("", "name", None, "none at all"),
        ("import math\n\ndef reward(params):\n    return 1.0\n", "name", 3, "known: reward"),
        ("reward_function = 1.0\n", "name", None, "no function"),
        ("def reward_function(on_track, x, y):\n    return 1.0\n", "signature", 1, "'x' and 'y'"),
        ("def reward_function():\n    return 1.0\n", "signature", 1, "params alone"),
        ("x = 1\ny = x / 0\n", "import", 2, "ZeroDivisionError"),
        ("import nothing_of_the_kind\n", "import", 1, "nothing_of_the_kind"),
    ],
)
def test_a_file_that_is_no_reward_function_is_said_so(
    model: Model, text: str, code: str, line: int | None, words: str
) -> None:
    error = only(model.reward(text).check(20))
    assert error.code == f"reward-{code}"
    assert line is None or error.line == line
    assert words in error.message


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('while params["steps"] > 3:\n    pass\nreturn 1.0', 2),
        ("while True:\n    try:\n        pass\n    except BaseException:\n        pass", 2),
        ("import time\ntime.sleep(1000)", 3),
        ('import re\nreturn float(bool(re.match(r"(a+)+$", "a" * 60 + "b")))', 3),  # a loop in C: no line of Python ends
    ],
)
def test_a_loop_without_an_end_costs_moments_and_its_line_is_told(model: Model, body: str, line: int) -> None:
    begun = time.monotonic()
    error = only(tried(model, body, limits=IMPATIENT))
    assert error.code == "reward-timeout"
    assert error.line is not None
    assert abs(error.line - line) <= 2
    assert time.monotonic() - begun < 5.0


def test_a_loop_on_import_is_ended_too_and_a_function_that_hears_no_signal(model: Model) -> None:
    error = only(model.reward("a = 1\nwhile True:\n    a += 1\n").check(20, limits=Limits(load=0.7)))
    assert (error.code, error.line in (2, 3), "on import" in error.message) == ("reward-timeout", True, True)
    deaf = "import signal\nfor one in {*range(1, 32)} - {9, 19}:\n    signal.signal(one, signal.SIG_IGN)\n"
    assert only(tried(model, "while True:\n    pass", before=deaf, limits=IMPATIENT)).code == "reward-timeout"


def test_a_function_that_is_too_slow_does_not_take_for_ever(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    error = only(tried(model, "import time\ntime.sleep(0.05)\nreturn 1.0", limits=Limits(total=1.0)))
    assert (error.code, time.monotonic() - begun < 4.0) == ("reward-slow", True)
    monkeypatch.setattr(judging, "SLOW", 0.001)
    result = tried(model, "import time\ntime.sleep(0.002)\nreturn params['speed']")
    assert (codes(result), codes(result, "warning")) == ([], ["reward-slow"])
    assert 0.002 <= (result.reward.seconds or 0.0) < 0.1


def test_memory_that_is_kept_from_call_to_call_ends_somewhere(model: Model) -> None:
    error = only(tried(model, "kept.append(bytearray(100_000_000))\nreturn 1.0", before="kept = []\n"))
    assert (error.code, error.line) == ("reward-memory", 3)


def test_a_function_that_eats_all_memory_in_every_call_is_ended_after_a_few(model: Model) -> None:
    body = "eaten = []\nwhile True:\n    eaten.append(bytearray(10_000_000))"
    error = only(tried(model, body))
    assert (error.code, error.line, "3 times" in error.message) == ("reward-memory", 4, True)


REFUSED = [
    ('open("/etc/passwd").read()', "reads-files"),
    ("open(__file__).read()", "reads-files"),
    ('os.listdir("/")', "reads-files"),
    ("pathlib.Path('model_metadata.json').read_text()", "reads-files"),
    ('os.stat("/etc/passwd"); open("/proc/self/environ").read()', "reads-files"),
    ('open("out.txt", "w").write("x")', "writes-files"),
    ('os.mkdir("/tmp/of-a-reward-function")', "writes-files"),
    ('os.remove("/tmp/of-a-reward-function")', "writes-files"),
    ('socket.create_connection(("192.0.2.1", 80), timeout=1)', "network"),
    ("socket.socket()", "network"),
    ('urllib.request.urlopen("http://192.0.2.1/")', "network"),
    ("os.fork()", "processes"),
    ('os.system("true")', "processes"),
    ('subprocess.run(["true"])', "processes"),
    ('os.execv("/bin/true", ["true"])', "processes"),
    ("os.kill(os.getppid(), 9)", "processes"),
    ("multiprocessing.Process(target=print).start()", "processes"),
    ("threading.Thread(target=print).start()", "processes"),
    ("ctypes.CDLL(None).fork()", "processes"),
]
IMPORTS = "import ctypes, multiprocessing, os, pathlib, socket, subprocess, threading, urllib.request\n"


@pytest.mark.parametrize(("what", "kind"), REFUSED[::4])
def test_files_network_and_processes_are_refused_and_told_with_the_line(model: Model, what: str, kind: str) -> None:
    error = only(tried(model, f"{what}\nreturn params['speed']", before=IMPORTS))
    assert (error.code, error.line) == (f"reward-{kind}", 3)
    assert not Path("/tmp/of-a-reward-function").exists()


def test_what_is_refused_is_told_also_if_the_function_forgives_it(model: Model) -> None:
    body = "\n".join(f"try:\n    {what}\nexcept BaseException:\n    pass" for what, _ in REFUSED)
    result = tried(model, f"{body}\nreturn params['speed']", before=IMPORTS)
    found = {(one.code, one.line) for one in result.findings if one.severity == "error"}
    lines = range(4, 4 + 4 * len(REFUSED), 4)
    threads = [line for (what, _), line in zip(REFUSED, lines, strict=True) if "threading" in what]  # not every Python asks
    assert {(f"reward-{kind}", line) for (_, kind), line in zip(REFUSED, lines, strict=True) if line not in threads} <= found
    assert result.reward.calls > 100


def test_a_megabyte_of_output_neither_hangs_nor_fills(model: Model) -> None:
    begun = time.monotonic()
    error = only(tried(model, 'print("x" * 1_000_000)\nreturn params["speed"]'))
    assert (error.code, "1000001" in error.message, time.monotonic() - begun < 5.0) == ("reward-output", True, True)
    quiet = tried(model, 'print("x" * 2000, file=sys.stderr)\nreturn params["speed"]', before="import sys\n")
    assert (codes(quiet), codes(quiet, "warning")) == ([], ["reward-output"])
    raw = "os.write(1, b'x' * 1_000_000)\nos.write(2, b'x' * 1_000_000)\nreturn params['speed']"
    assert codes(tried(model, raw, before="import os\nprint('once' * 1000)\n")) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("os._exit(0)", "reward-exit"),
        ("os.closerange(0, 100)\nos._exit(3)", "reward-exit"),
        ("A().x", "reward-crash"),
    ],
)
def test_an_end_of_the_process_is_told(model: Model, body: str, code: str) -> None:
    before = "import os, sys\nsys.setrecursionlimit(10**9)\n"
    before += "class A:\n    def __getattr__(self, name):\n        return getattr(self, name + 'x')\n"
    error = only(tried(model, body, before=before))
    assert error.code in (code, "reward-memory")  # a stack without an end may meet either limit first
    assert "steps=1" in error.message


def test_results_that_are_made_up_are_not_believed_further_than_the_functions_own(model: Model) -> None:
    body = """
        for number in range(3, 12):
            try:
                os.write(number, b"C 999999 nan nan\\nC x\\nX 7 7\\nK\\nB {\\nH []\\nN 1\\n\\xff\\nE\\n")
            except OSError:
                pass
        return params["speed"]"""
    result = tried(model, body, before="import os\n")
    assert result.reward.calls <= 400
    assert result.reward.most == 3.0


STATES = {
    "counts": ("global n\nn += 1\nreturn float(n)", "error"),
    "draws lots": ("return random.random()", "error"),
    "remembers the episode before": (
        'global n\nif params["steps"] == 1:\n    n += 1\nreturn float(n)',
        "error",
    ),
    "remembers the step before, and begins anew with the first that is rewarded": (
        'global n\nn = 0.0 if params["steps"] == 2 else n + params["speed"]\nreturn float(n)',
        "warning",
    ),
    "remembers the step before, and begins anew": (
        'global n\nn = 0.0 if params["steps"] == 1 else n + params["speed"]\nreturn float(n)',
        "warning",
    ),
}


@pytest.mark.parametrize("how", STATES)
def test_what_a_function_remembers_is_found(model: Model, how: str) -> None:
    body, severity = STATES[how]
    result = tried(model, body, before="import random\nn = 0\n")
    (state,) = [one for one in result.findings if one.code == "reward-state"]
    assert state.severity == severity
    assert "the same input gave" in state.message


def test_what_the_simulator_forgives_is_a_warning(model: Model) -> None:
    for body, code in (
        ('return params["all_wheels_on_track"]', "reward-type"),
        ('return str(params["speed"])', "reward-type"),
        ('return np.array([params["speed"]])[0:1].max(keepdims=True)[0] > 1', "reward-type"),
        ('params["speed"] = 0\nreturn params["x"]', "reward-changes-params"),
        ('params["waypoints"].reverse()\nreturn params["x"]', "reward-changes-params"),
        ('params["waypoints"] = np.array(params["waypoints"])\nreturn params["x"]', "reward-changes-params"),
        ("return 1.0", "reward-constant"),
    ):
        result = tried(model, body, before="import numpy as np\n")
        assert (codes(result), codes(result, "warning")) == ([], [code]), body


def test_numbers_of_all_kinds_are_rewards(model: Model) -> None:
    for body in (
        'np.float32(params["speed"])',
        'np.int64(params["steps"])',
        'int(params["steps"])',
        'params["progress"] - 50',
    ):
        result = tried(model, f"return {body}", before="import numpy as np\n")
        assert (codes(result), codes(result, "warning")) == ([], []), body


def test_what_one_call_does_to_its_params_no_other_call_sees(model: Model) -> None:
    body = """
        assert len(params["waypoints"]) == 150 and len(params["objects_location"]) == 6
        before = params["waypoints"][0], params["objects_location"][0][0], params["closest_waypoints"][0]
        params["waypoints"].clear(); params["objects_location"][0].clear(); params["closest_waypoints"].clear()
        params.clear()
        return before[1]"""
    result = tried(model, body, race="OBJECT_AVOIDANCE")
    assert (codes(result), codes(result, "warning")) == ([], ["reward-changes-params"])


def test_an_unknown_library_is_named_and_one_of_the_simulators_is_not_required_here(model: Model) -> None:
    assert codes(tried(model, "return params['x']", before="import psutil\n"), "warning") == ["reward-import"]
    result = tried(model, "return params['x']", before="import shapely_of_no_kind\n")
    assert codes(result) == ["reward-import"]
    result = tried(model, "return params['x']", before="import skimage\n")  # in the image; nothing here needs it
    assert (codes(result), codes(result, "warning")) == ([], ["reward-not-tried"])


def test_the_stack_of_2019_has_an_old_python_and_fewer_parameters(model: Model) -> None:
    result = tried(model, "return float(f'{params[\"x\"]}')", stack="2019", tracks=["reinvent_base"])
    (old,) = [one for one in result.findings if one.code == "reward-python"]
    assert (old.severity, old.line) == ("warning", 2)
    assert only(tried(model, "return params['track_length']", stack="2019")).code == "reward-exception"
    error = only(tried(model, "return params['progress'] / params['steps']", stack="2019"))  # they are counted from 0
    assert "ZeroDivisionError" in error.message


def test_the_process_sees_nothing_of_this_one_and_says_how_it_is_held(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "of this computer")
    body = """
        assert "A_SECRET" not in os.environ and sys.argv[0] == "-c"
        assert not [name for name in sys.modules if name.startswith("fleet") and sys.modules[name] is not None]
        return params["speed"]"""
    result = tried(model, body, before="import os, sys\n")
    assert codes(result) == []
    assert "no network by" in result.confined


def test_nothing_is_left_running_and_no_file_descriptor_stays_open(model: Model) -> None:
    me = psutil.Process()
    before = me.num_fds(), len(me.children(recursive=True))
    for body in ("while True:\n    pass", "return 1.0", "os._exit(1)"):
        tried(model, body, before="import os\n", limits=IMPATIENT)
    assert (me.num_fds(), len(me.children(recursive=True))) == before


def test_whoever_is_killed_takes_the_reward_function_along(tmp_path: Path) -> None:
    Model(tmp_path).reward("def reward_function(params):\n    while True:\n        pass\n")
    (tmp_path / "copy").mkdir()
    words = dedent(f"""
        from pathlib import Path
        from fleet.workloads.deepracer.checking.process import Limits
        from tests.unit.deepracer.models import Model
        model = Model(Path({str(tmp_path / "copy")!r}))
        model.reward(Path({str(tmp_path / "reward_function.py")!r}).read_text()).check(20, limits=Limits(call=60, total=60))
    """)
    root = Path(__file__).parents[3]
    asking = subprocess.Popen([sys.executable, "-c", words], cwd=root)
    try:
        until = time.monotonic() + 20
        children: list[psutil.Process] = []
        while not children and time.monotonic() < until:
            children = psutil.Process(asking.pid).children()
            time.sleep(0.02)
        asking.send_signal(signal.SIGKILL)
        asking.wait(10)
        gone, alive = psutil.wait_procs(children, timeout=10)
        assert (len(gone), alive) == (1, [])
    finally:
        asking.kill()
        asking.wait(10)


def test_the_filter_of_system_calls_holds_where_python_is_not_asked(model: Model) -> None:
    """Through a library that is loaded before the guard looks: what is behind it does not depend on it."""
    program = (
        "import ctypes, os, sys; from fleet.workloads.deepracer.checking.sandbox import seccomp; libc = ctypes.CDLL(None);"
        "libc.open.restype = libc.fork.restype = ctypes.c_int; sys.exit(77) if not seccomp.install() else None;"
        "print(libc.fork(), libc.socket(2, 1, 0), libc.open(b'/dev/null', 1), libc.kill(1, 0), libc.unlink(b'/nowhere'),"
        "libc.open(b'/dev/null', 0) >= 0, len(open('/dev/null').read()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode == 77:  # no Linux, or a kernel without it
        assert sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64")
        return
    assert done.stdout.split() == ["-1", "-1", "-1", "-1", "-1", "True", "0"], done.stderr


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_a_program_that_the_kernel_takes(machine: str) -> None:
    """At most 4096 lines of eight bytes, every jump within it, and an end on every way."""
    code = np.frombuffer(seccomp.program(machine), dtype=[("code", "<u2"), ("yes", "u1"), ("no", "u1"), ("value", "<u4")])
    assert len(code) < 4096
    for place, line in enumerate(code):
        if line["code"] in (0x15, 0x35):
            assert place + 1 + max(int(line["yes"]), int(line["no"])) < len(code)
    assert (code[-1]["code"], code[-1]["value"]) == (0x06, 0x7FFF0000)


def test_rewards_for_a_picture_are_those_of_its_places(model: Model) -> None:
    result = tried(model, 'return params["distance_from_center"]', draw=True)
    (drawn,) = result.lanes
    assert drawn.rewards.shape == drawn.x.shape == (ACROSS, ALONG)
    wanted = np.repeat(np.abs(drawn.sides)[:, None], ALONG, axis=1)
    assert drawn.rewards == pytest.approx(wanted, abs=0.03)
    assert result.reward.calls < 500  # a picture's calls are not counted
    broken = tried(model, 'return float("nan") if params["is_left_of_center"] else 1.0', draw=True)
    assert 0.3 < np.isnan(broken.lanes[0].rewards).mean() < 0.7


def test_five_thousand_calls_take_less_than_five_seconds(model: Model) -> None:
    begun = time.monotonic()
    result = model.check(5000)
    assert result.ok
    assert result.reward.calls >= 5000
    assert time.monotonic() - begun < 5.0


def test_where_there_is_no_namespace_the_hook_alone_refuses(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that knows neither namespaces nor filters: it is said, and sockets are refused all the same."""
    program = process._PROGRAM.replace(
        "; run(", "; from fleet.workloads.deepracer.checking.sandbox import limits, seccomp; "
        "limits.leave_network = seccomp.install = lambda: False; run("
    )  # fmt: skip
    monkeypatch.setattr(process, "_PROGRAM", program)
    result = tried(model, "socket.socket()", before="import socket\n")
    assert only(result).code == "reward-network"
    assert "no network by an audit hook; files and processes by an audit hook" in result.confined
