"""Whether a stack comes up and trains: signals in order, deadlines, and what is to be done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads.deepracer import faults
from fleet.workloads.deepracer.faults import CAUSE
from fleet.workloads.deepracer.health import DEADLINES, GAP, STEPS, Health, begin, patience
from fleet.workloads.deepracer.signals import Kind, Signal, Source, exited, heard
from fleet.workloads.deepracer.spec import DeepRacer
from tests.deepracer.images import real_logs

SETTLE = DEADLINES["settle"]
TODAY = DeepRacer()
HEARD: list[Kind] = [*STEPS, "lock-wait", "waiting-checkpoint", "episode", "restored", "nan", "terminated"]
FROM: dict[Kind, Source] = {"coach-started": "coach", "sim-trace": "simulator"}


def signal(kind: Kind, **said: object) -> Signal:
    return Signal(kind, FROM.get(kind, "trainer"), **said)  # type: ignore[arg-type]


def training(spec: DeepRacer = TODAY, at: float = 0.0) -> Health:
    """A stack that has come up, all at once."""
    state = begin(spec, at)
    for step in state.steps:
        state = state.hear(signal(step, n=0), at)
    return state


def test_the_steps_of_the_start_follow_one_another() -> None:
    state, phases = begin(TODAY, 0), []
    for number, step in enumerate(STEPS):
        phases.append(state.phase)
        state = state.hear(signal(step), float(number))
        assert state.fault(float(number)) is None
    assert phases == list(STEPS)
    assert state.phase == "training"


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_each_step_has_a_deadline_of_its_own_from_the_step_before(number: int) -> None:
    state, now = begin(TODAY, 1000.0), 1000.0
    for step in STEPS[:number]:
        now += DEADLINES[step] - 1
        state = state.hear(signal(step), now)
    waited = DEADLINES[STEPS[number]]
    assert state.fault(now + waited) is None
    fault = state.fault(now + waited + 1)
    assert fault is not None
    assert fault.code == f"late-{STEPS[number]}"
    assert fault.remedy


def test_a_later_signal_stands_for_those_before_it() -> None:
    state = begin(TODAY, 0).hear(signal("uploaded", n=4), 5)
    assert state.phase == "ready"
    assert state.n == 4
    assert state.hear(signal("coach-started"), 6).phase == "ready"
    assert begin(TODAY, 0).hear(Signal("episode", "simulator"), 1).phase == "training"


def test_deadlines_can_be_set() -> None:
    state = begin(TODAY, 0, {"coach-started": 2})
    assert state.fault(3) is not None
    assert state.deadlines["quiet"] == DEADLINES["quiet"]


def test_the_direct_launcher_has_no_coach_and_2019_says_less() -> None:
    assert begin(DeepRacer(launcher="direct"), 0).steps == STEPS[1:]
    old = begin(DeepRacer(stack="2019"), 0)
    assert old.steps == ("coach-started", "saving", "uploaded", "sim-trace")
    assert old.deadlines["saving"] > DEADLINES["ip-uploaded"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("nan", "nan"),
        ("reward-error", "reward-error"),
        ("out-of-memory", "out-of-memory"),
        ("disk-full", "disk-full"),
        ("unknown-runtime", "unknown-runtime"),
        ("gpu-mismatch", "gpu-mismatch"),
        ("no-bucket", "no-bucket"),
        ("no-network", "no-network"),
        ("no-image", "no-image"),
    ],
)
def test_an_error_is_a_fault_at_once_with_its_line_and_a_remedy(kind: Kind, code: str) -> None:
    fault = training().hear(signal(kind, text="what it said"), 1).fault(1)
    assert fault is not None
    assert (fault.code, fault.rank) == (code, CAUSE)
    assert "what it said" in fault.message
    assert fault.remedy


def test_refused_credentials_are_a_fault_until_it_trains_with_them() -> None:
    refused = signal("credentials", text="AccessDenied")
    fault = begin(TODAY, 0).hear(refused, 1).fault(1)
    assert fault is not None
    assert fault.code == "credentials"
    assert training().hear(refused, 1).fault(1) is None


@pytest.mark.parametrize(
    ("number", "code"), [(12, "reward-import"), (20, "simapp-20"), (25, "nan"), (41, "reward-error"), (99, "simapp-99")]
)
def test_a_fault_code_is_told_with_what_the_software_said_of_it(number: int, code: str) -> None:
    state = training().hear(Signal("sim-exception", "simulator", text="in its own words"), 1)
    fault = state.hear(Signal("sim-fault", "simulator", code=number), 1).fault(1)
    assert fault is not None
    assert fault.code == code
    assert "in its own words" in fault.message
    assert str(number) in fault.message


def test_a_consequence_waits_for_its_cause() -> None:
    goodbye = training().hear(Signal("terminated", "simulator"), 10)
    assert goodbye.fault(10 + SETTLE / 2) is None
    alone = goodbye.fault(10 + SETTLE)
    assert alone is not None
    assert alone.code == "trainer-ended"
    explained = goodbye.hear(signal("nan"), 10 + SETTLE / 2).fault(10 + SETTLE)
    assert explained is not None
    assert explained.code == "nan"


@pytest.mark.parametrize("source", ["s3", "coach", "trainer", "simulator"])
def test_the_end_of_any_container_is_a_fault_also_during_the_start(source: Source) -> None:
    for state in (begin(TODAY, 0), training()):
        fault = state.hear(exited(source, 3), 1).fault(1 + SETTLE)
        assert fault is not None
        assert fault.code == f"{source}-ended"
        assert "3" in fault.message


def test_a_container_that_was_killed_is_said_to_be() -> None:
    fault = training().hear(exited("trainer", 137), 1).fault(1 + SETTLE)
    assert fault is not None
    assert "killed" in fault.message


@pytest.mark.parametrize(
    ("kind", "source", "code", "ends"),
    [
        ("lock-wait", "trainer", "stale-lock", signal("saving")),
        ("waiting-checkpoint", "simulator", "no-checkpoint", Signal("restored", "simulator", n=1)),
        ("additional-evaluation", "simulator", "trainer-dead", signal("iteration", n=0)),
        ("additional-evaluation", "simulator", "trainer-dead", Signal("restored", "simulator", n=1)),
    ],
)
def test_what_is_harmless_briefly_is_a_fault_if_it_does_not_end(kind: Kind, source: Source, code: str, ends: Signal) -> None:
    state, now, within = training(), 0.0, DEADLINES[code]
    while now <= within:
        state = state.hear(Signal(kind, source), now)
        assert state.fault(now) is None
        assert code not in state.hear(ends, now).waits  # whatever it waited for
        now += GAP / 2
    fault = state.hear(Signal(kind, source), now).fault(now)
    assert fault is not None
    assert fault.code == code


def test_a_wait_that_nobody_speaks_of_any_more_is_over() -> None:
    state = training().hear(signal("lock-wait"), 0)
    assert state.fault(DEADLINES["stale-lock"] + GAP) is None


def test_driving_does_not_show_that_the_trainer_lives() -> None:
    state = training().hear(Signal("additional-evaluation", "simulator"), 0)
    state = state.hear(Signal("sim-trace", "simulator"), DEADLINES["trainer-dead"])
    fault = state.fault(DEADLINES["trainer-dead"] + 1)
    assert fault is not None
    assert fault.code == "trainer-dead"


def test_silence_and_sets_that_do_not_come_are_faults_once_it_trains() -> None:
    silent = training().fault(DEADLINES["quiet"] + 1)
    assert silent is not None
    assert silent.code == "quiet"
    state, now = training(), 0.0
    while now < DEADLINES["no-iteration"]:
        now += DEADLINES["quiet"] / 2
        state = state.hear(Signal("episode", "simulator"), now)
    stuck = state.fault(now + 1)
    assert stuck is not None
    assert stuck.code == "no-iteration"
    assert state.hear(signal("uploaded", n=3), now).fault(now + 1) is None


def test_an_iteration_of_very_many_episodes_is_none_that_hangs() -> None:
    assert patience({"num_episodes_between_training": 20}) == {"no-iteration": DEADLINES["no-iteration"]}
    for nothing in (None, "many", -1, float("inf")):
        assert patience({"num_episodes_between_training": nothing}) == {}
    state = replace(training(), deadlines={**DEADLINES, **patience({"num_episodes_between_training": 1000})})
    now = 0.0
    while now < 5 * 3600:
        now += DEADLINES["quiet"] / 2
        state = state.hear(Signal("episode", "simulator"), now)
        assert state.fault(now) is None


def test_real_logs_are_healthy_to_their_end_where_they_are_at_hand() -> None:
    logs = real_logs()
    for name, source in (("drfc-robomaker.log", "simulator"), ("droa/training-simulation.log", "simulator")):
        text = (logs / name).read_text(errors="replace") if logs is not None else "SIM_TRACE_LOG:0,1,0"
        state, now = begin(TODAY, 0), 0.0
        for line in text.splitlines():
            now += 0.1
            found = heard("simulator" if source == "simulator" else "trainer", line)
            state = state.hear(found, now) if found is not None else state
        assert state.phase == "training"
        assert state.found == ()
        assert state.fault(now) is None


@given(st.lists(st.tuples(st.sampled_from(HEARD), st.floats(0, 500)), max_size=40))
def test_the_start_never_goes_back_and_a_cause_is_never_forgotten(heard_at: list[tuple[Kind, float]]) -> None:
    state, now, done, cause = begin(TODAY, 0), 0.0, 0, None
    for kind, later in heard_at:
        now += later
        state = state.hear(signal(kind), now)
        assert state.done >= done
        done = state.done
        fault = state.fault(now)
        if cause is not None:
            assert fault == cause
        cause = fault if fault is not None and fault.rank == CAUSE else cause


def test_every_deadline_and_every_error_has_words() -> None:
    for step in STEPS:
        assert faults.late(step, 1).remedy
    for code in set(DEADLINES) - set(STEPS) - {"settle"}:
        assert faults.meanwhile(code, 1).remedy
