"""What the outcome of calls says about a reward function, as findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from fleet.workloads.deepracer.checking.process import NAME, Outcome, Trouble
from fleet.workloads.deepracer.checking.sampling import STEPS_PER_SECOND, Samples
from fleet.workloads.deepracer.checking.words import nearest
from fleet.workloads.deepracer.findings import Finding, Severity

__all__ = ["NAME", "example", "judge"]

WANTED = "reward_function"
SLOW, TOO_SLOW = 0.010, 1.0 / STEPS_PER_SECOND
"""Seconds for a call: the simulator waits, and after the second it falls behind."""
ENOUGH = 50
"""Calls that returned, to speak of them in general."""
PRINTS, PRINTS_MUCH = 1_000, 64_000
"""Characters in a call; the second fills a gigabyte in a quarter of an hour."""
IN_THE_IMAGE = {
    "numpy",
    "scipy",
    "shapely",
    "pandas",
    "skimage",
    "matplotlib",
    "cv2",
    "PIL",
    "tensorflow",
    "h5py",
    "yaml",
    "pytz",
}
"""Libraries of today's simulator, from its environment file."""
_DEFINE = "Define `def reward_function(params):`, which returns a float."
_FLOAT = "Return a float on every way through the function: `return float(reward)`."
_REFUSED = {
    "reads-files": ("reads files", "The simulator is given this one file: write the numbers into it."),
    "writes-files": ("changes files", "What is written in the simulator's container is lost; use what SIM_TRACE_LOG says."),
    "network": ("uses the network", "Leave it out: every step would wait for it, and fail with it."),
    "processes": (
        "starts processes or threads, or calls the system's libraries",
        "Leave it out: every step would wait for it.",
    ),
}


def judge(outcome: Outcome, samples: Samples, order: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """Everything but what comparing calls tells."""
    refused = {(one.get("line")) for one in outcome.refused}
    yield from (_refused(one) for one in outcome.refused)
    absent = {(trouble.missing or "").partition(".")[0] for trouble in outcome.troubles}
    known = IN_THE_IMAGE | absent
    yield from (_imports(name, line) for name, line in outcome.imports.items() if name not in known)
    if outcome.newer is not None:
        told = f"2019's simulator has Python 3.5: {outcome.newer[1]}"
        yield Finding(
            "reward-python", told, "Write it as Python 3.5 has it (no f-strings).", NAME, outcome.newer[0], "warning"
        )
    if outcome.functions is not None:
        yield _named(outcome.functions)
    for trouble in outcome.troubles:
        if trouble.line is None or trouble.line not in refused:  # else it is said already, and better
            yield _troubled(trouble, samples, order)
    yield from _ended(outcome, samples, order)
    yield from _measured(outcome)


def example(samples: Samples, at: tuple[int, int]) -> str:
    """A parameter set in a few words."""
    episode = samples.episodes[at[0]]
    values = dict(zip(samples.keys, episode.rows[at[1]], strict=True))
    keys = ("steps", "progress", "distance_from_center", "heading", "speed", "steering_angle")
    return f"{episode.told}: " + ", ".join(f"{key}={values[key]:.4g}" for key in keys)


def _first(trouble: Trouble, samples: Samples, order: Sequence[tuple[int, int]]) -> str:
    if not 0 <= trouble.first < len(order):
        return ""
    times = "once" if trouble.count == 1 else f"{trouble.count} times"
    return f" ({times}; first with {example(samples, order[trouble.first])})"


def _refused(one: dict[str, Any]) -> Finding:
    what, remedy = _REFUSED.get(str(one.get("kind")), ("does what it may not", "Leave it out."))
    line = one.get("line")
    return Finding(
        f"reward-{one.get('kind')}", f"it {what}: {one.get('what')}", remedy, NAME, line if isinstance(line, int) else None
    )


def _imports(name: str, line: int) -> Finding:
    told = f"it imports {name}, which this computer has, and the simulator as far as fleet knows does not"
    return Finding("reward-import", told, "Leave it out, or make sure that the image has it.", NAME, line, "warning")


def _named(functions: dict[str, int]) -> Finding:
    near = nearest(WANTED, functions) if functions else "it defines none at all"
    lines = [line for name, line in functions.items() if f"{name!r}" in near or len(functions) == 1]
    return Finding("reward-name", f"there is no function {WANTED}: {near}", _DEFINE, NAME, lines[0] if lines else None)


def _troubled(trouble: Trouble, samples: Samples, order: Sequence[tuple[int, int]]) -> Finding:
    where = _first(trouble, samples, order)
    code, told, remedy, severity = _words(trouble)
    return Finding(f"reward-{code}", f"{told}{where}", remedy, NAME, trouble.line, severity)


def _words(trouble: Trouble) -> tuple[str, str, str, Severity]:
    """Code, message, remedy, severity."""
    kind, text = trouble.kind, trouble.text
    if kind == "syntax":
        return "syntax", f"this is no Python: {text}", "Correct the line.", "error"
    if kind == "import":
        return _import(trouble)
    if kind == "signature":
        return "signature", f"it cannot be called with params alone: {text}", _DEFINE, "error"
    if kind == "exception":
        return _exception(trouble)
    if kind == "not-a-number":
        return kind, f"it returns {text} ({trouble.type}), which is no number: the simulator stops", _FLOAT, "error"
    if kind == "not-finite":
        return kind, f"it returns {text}: the simulator stops", "Guard divisions, logarithms and powers.", "error"
    if kind == "range":
        return (
            kind,
            f"it returns {text}, beyond ±100000: the simulator stops",
            "Scale the reward: around 1 is usual.",
            "error",
        )
    if kind == "type":
        return kind, f"it returns {text} ({trouble.type}); the simulator makes a float of it", _FLOAT, "warning"
    told = f"it changes params ({text})"
    return "changes-params", told, "Today's simulator hands out a copy, 2019's does not: copy what you change.", "warning"


def _import(trouble: Trouble) -> tuple[str, str, str, Severity]:
    top = (trouble.missing or "").partition(".")[0]
    if top in IN_THE_IMAGE:
        told = f"it imports {top}, which the simulator has and this computer does not: the function could not be tried"
        return "not-tried", told, f"pip install {top} beside fleet, and check again.", "warning"
    if top:
        return "import", f"it imports {top}, which the simulator does not have", "Leave it out.", "error"
    return "import", f"it fails when it is imported: {trouble.type}: {trouble.text}", "Correct the line.", "error"


def _exception(trouble: Trouble) -> tuple[str, str, str, Severity]:
    if trouble.type == "MemoryError":
        return "memory", "it needs more memory than it may have", "Keep no growing lists, and no large tables.", "error"
    if trouble.type == "RecursionError":
        return "recursion", "it calls itself without an end", "Give the recursion an end.", "error"
    if trouble.type == "SystemExit":
        return "exit", "it ends the program (sys.exit, exit, quit)", "Return a number instead.", "error"
    if trouble.type == "RuntimeError" and "new thread" in trouble.text:
        return "processes", "it starts threads", "Leave it out: every step would wait for it.", "error"
    remedy = "Correct it: an exception in the reward function ends the training."
    return "exception", f"{trouble.type}: {trouble.text}".rstrip(": "), remedy, "error"


def _ended(outcome: Outcome, samples: Samples, order: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """An end before the last call."""
    after = outcome.last + 1
    where = f" (with {example(samples, order[after])})" if outcome.loaded and after < len(order) else " (on import)"
    if outcome.end == "hung":
        told = f"it does not come back within seconds{where}"
        yield Finding("reward-timeout", told, "Give the loop an end.", NAME, outcome.line)
    elif outcome.end == "no-memory":
        told = f"it needs more memory than it may have{where}"
        yield Finding("reward-memory", told, "Keep no growing lists, and no large tables.", NAME, outcome.line)
    elif outcome.end == "too-long" and not outcome.troubles:
        told = f"{len(outcome.rewards)} calls took all the time there is: the rest was not tried"
        yield Finding("reward-slow", told, "Compute tables once, when the file is imported.", NAME, outcome.line)
    elif outcome.end == "died":
        status = outcome.status or 0
        how = f"signal {-status}" if status < 0 else f"status {status}"
        told = f"the process ended in the middle of it, with {how}{where}"
        code = "reward-crash" if status < 0 else "reward-exit"
        yield Finding(code, told, "Leave out what ends or breaks the process (os._exit, C code).", NAME, outcome.line)


def _measured(outcome: Outcome) -> Iterator[Finding]:
    calls = len(outcome.rewards)
    mean = outcome.seconds / calls if calls else 0.0
    if mean > SLOW and outcome.end == "done" and calls >= ENOUGH:
        told = (
            f"a call takes {mean * 1000:.0f} ms; the simulator makes {STEPS_PER_SECOND} steps a second, and waits for each"
        )
        severity: Severity = "error" if mean > TOO_SLOW else "warning"
        remedy = "Compute tables once, when the file is imported, and look up what is near."
        yield Finding("reward-slow", told, remedy, NAME, severity=severity)
    if outcome.printed_at_once > PRINTS:
        told = f"it prints up to {outcome.printed_at_once} characters in a call: the lines that fleet reads drown in the log"
        severity = "error" if outcome.printed_at_once > PRINTS_MUCH else "warning"
        yield Finding(
            "reward-output", told, "Print less, or nothing: SIM_TRACE_LOG has every step.", NAME, severity=severity
        )
    finite = {reward for reward in outcome.rewards.values() if math.isfinite(reward)}
    if calls >= ENOUGH and len(finite) == 1 and not outcome.troubles:
        told = f"every call returned {finite.pop():g}: there is nothing to learn"
        yield Finding("reward-constant", told, "Let the reward depend on params.", NAME, severity="warning")
