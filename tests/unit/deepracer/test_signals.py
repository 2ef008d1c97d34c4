"""What the logs' lines mean, in the formats of every year."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from fleet.workloads.deepracer.signals import Signal, Source, exited, heard
from tests.deepracer.images import real_logs

TRACES = {
    2019: "SIM_TRACE_LOG:0,1,3.0512,0.6829,-0.0040,0.00,0.00,0,1.0000,False,True,0.7992,0,17.67,1555730996.3144288",
    2022: "SIM_TRACE_LOG:4,17,0.61,0.46,131.56,10.00,2.00,3,0.0,False,True,0.42,0,17.71,20.034,prepare,0.00",
    2026: "[launch-1] [agent-9] SIM_TRACE_LOG:3,2,0.2,-2.1,179.9,15.0,1.5,8,0.0,False,True,0.2,0,60,36.7,prepare,0.0,0,17.7",
}
EPISODE = "Training> Name=main_level/agent, Worker=0, Episode=20, Total reward=49.63, Steps=3038, Training iteration=1"
POLICY = (
    "Policy training> Surrogate loss=-0.0109, KL divergence=0.00998, Entropy=2.628, training epoch=0, learning_rate=0.0003"
)
SAID: list[tuple[Source, str, dict[str, Any]]] = [
    ("simulator", TRACES[2019], {"kind": "sim-trace", "n": 0, "steps": 1}),
    ("simulator", TRACES[2022], {"kind": "sim-trace", "n": 4, "steps": 17}),
    ("simulator", TRACES[2026], {"kind": "sim-trace", "n": 3, "steps": 2}),
    ("trainer", EPISODE, {"kind": "episode", "n": 20, "reward": 49.63, "steps": 3038, "iteration": 1}),
    ("simulator", f"[launch-1] [agent-9] {EPISODE}", {"kind": "episode", "n": 20, "iteration": 1}),
    ("simulator", EPISODE.replace("Training>", "Testing>"), {"kind": "evaluation", "n": 20, "reward": 49.63}),
    ("trainer", EPISODE.replace("49.63", "-1.2e-05"), {"kind": "episode", "reward": -1.2e-05}),
    ("trainer", POLICY, {"kind": "iteration", "n": 0, "loss": -0.0109, "entropy": 2.628, "learning_rate": 0.0003}),
    ("trainer", f"\x1b[36m{POLICY}\x1b[0m\r\n", {"kind": "iteration", "n": 0}),
    ("coach", "Model checkpoints and other metadata will be stored at: s3://bucket/a-1-1", {"kind": "coach-started"}),
    ("trainer", "Training Worker Args: Namespace(aws_region='us-east-1')", {"kind": "training-worker"}),
    ("trainer", "[s3] Successfully uploaded ip done to   s3 bucket b with s3 key a/ip/done.", {"kind": "ip-uploaded"}),
    (
        "trainer",
        "Checkpoint> Saving in path=['./checkpoint_sagemaker/agent/28_Step-44247.ckpt']",
        {"kind": "saving", "n": 28, "stem": "28_Step-44247.ckpt"},
    ),
    ("trainer", "Uploaded 3 files for checkpoint 28", {"kind": "uploaded", "n": 28}),
    ("trainer", "[s3] Successfully uploaded .ready to   s3 bucket b with s3 key a/model/.ready.", {"kind": "ready"}),
    (
        "simulator",
        "Checkpoint> Restoring from path=./checkpoint_robomaker/agent/7_Step-950.ckpt",
        {"kind": "restored", "n": 7, "stem": "7_Step-950.ckpt"},
    ),
    ("trainer", "Best checkpoint number: 26, Last checkpoint number: 27", {"kind": "best-and-last", "n": 26, "last": 27}),
    ("trainer", "Best checkpoint number: -1, Last checkpoint number: -1", {"kind": "best-and-last", "n": -1, "last": -1}),
    ("simulator", "Waiting for SageMaker Redis server IP: Time elapsed: 15 seconds", {"kind": "waiting-ip", "n": 15}),
    ("simulator", "Expecting checkpoint >= 1. Waiting.", {"kind": "waiting-checkpoint", "n": 1}),
    ("trainer", "Found a lock file a/model/.lock , waiting", {"kind": "lock-wait"}),
    (
        "simulator",
        "Additional evaluation. New Checkpoint: -1, Last Checkpoint: 3",
        {"kind": "additional-evaluation", "n": -1, "last": 3},
    ),
    ("simulator", "Additional evaluation", {"kind": "additional-evaluation", "n": None}),
    ("trainer", "NaN detected in loss function, aborting training.", {"kind": "nan"}),
    ("simulator", "Reward function error: name 'speedy' is not defined", {"kind": "reward-error"}),
    ("simulator", "Exception 'x' in customer reward function. Job failed!", {"kind": "reward-error"}),
    ("simulator", "ERROR: FAULT_CODE: 41", {"kind": "sim-fault", "code": 41}),
    ("simulator", "Received termination signal from trainer. Goodbye.", {"kind": "terminated"}),
    ("trainer", "Allocator (GPU_0_bfc) ran out of memory trying to allocate 2.00GiB", {"kind": "out-of-memory"}),
    ("trainer", "OSError: [Errno 28] No space left on device", {"kind": "disk-full"}),
    ("coach", "Error response from daemon: Unknown runtime specified nvidia", {"kind": "unknown-runtime"}),
    ("coach", "unrecognized runtime: nvidia", {"kind": "unknown-runtime"}),
    ("coach", 'could not select device driver "nvidia" with capabilities: [[gpu]]', {"kind": "unknown-runtime"}),
    ("trainer", "no kernel image is available for execution on the device", {"kind": "gpu-mismatch"}),
    ("trainer", "An error occurred (NoSuchBucket) when calling PutObject", {"kind": "no-bucket"}),
    ("coach", "botocore.exceptions.NoCredentialsError: Unable to locate credentials", {"kind": "credentials"}),
    ("coach", "Error response from daemon: No such image: a:1", {"kind": "no-image"}),
]


@pytest.mark.parametrize(("source", "line", "meant"), SAID, ids=[line[:50] for _, line, _ in SAID])
def test_a_line_means_what_it_says_whatever_stands_before_it(source: Source, line: str, meant: dict[str, Any]) -> None:
    for told in (line, f"2026-11-26T10:00:00Z {line}\r\n"):
        signal = heard(source, told)
        assert signal is not None
        assert signal.source == source
        assert {name: getattr(signal, name) for name in meant} == meant


@pytest.mark.parametrize(
    "line",
    [
        "",
        "SIM_TRACE_LOG:",
        "Training> Name=",
        "Policy training> Surrogate loss=",
        "Checkpoint> Saving in path=['nowhere']",
        "Uploaded 1 files for checkpoint 3",
        "Unable to find deepracer checkpoint json",
        "s3 failed, retry after 1.0 seconds. Re-try count: 1/5: An error occurred (404) when calling HeadObject: Not Found",
        "Exception when checking for DEEPRACER_JOB_TYPE_ENV 'LOCAL' is not a valid DeepRacerJobType",
        "## agent: Finished evaluation phase. Success rate = 0.0, Avg Total Reward = 12.0",
        "Allocator (GPU_0_bfc) ran out of memory trying to allocate 2GiB. The caller indicates that this is not a failure",
        "a network with name sagemaker-local exists but was not created by compose.",
    ],
)
def test_what_is_harmless_or_broken_off_means_nothing(line: str) -> None:
    for source in ("coach", "trainer", "simulator"):
        assert heard(source, line) is None


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-nan"])
def test_a_loss_that_is_no_number_is_a_nan_even_if_training_goes_on(value: str) -> None:
    for field in ("-0.0109", "0.00998", "2.628"):
        signal = heard("trainer", POLICY.replace(field, value))
        assert signal is not None
        assert signal.kind == "nan"
        assert signal.learning_rate == 0.0003


def test_a_reward_that_is_no_number_is_told_as_it_is() -> None:
    signal = heard("trainer", EPISODE.replace("49.63", "nan"))
    assert signal is not None
    assert signal.kind == "episode"
    assert signal.reward is not None
    assert math.isnan(signal.reward)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            'x {"simapp_exception": {"date": "d", "message": "Reward function error: \\"a\\"", "errorCode": "400"}}',
            'error: "a"',
        ),
        ('{"simapp_exception": {"message": 5}}', "5"),
        ('{"simapp_exception": {"mess', "simapp_exception"),
        ('{"simapp_exception": []}', "simapp_exception"),
    ],
)
def test_an_exception_is_told_in_its_own_words_and_a_broken_one_as_it_stands(line: str, text: str) -> None:
    signal = heard("simulator", line)
    assert signal is not None
    assert signal.kind == "sim-exception"
    assert text in signal.text


@pytest.mark.parametrize("name", ["algo-1-8aef05-1  | ", "\x1b[36mtmp1a2b_algo-1-x9zq7_1  |\x1b[0m "])
def test_what_coach_repeats_of_its_trainer_is_not_heard_twice(name: str) -> None:
    for _, line, _ in SAID:
        assert heard("coach", f"{name}{line}") is None
    assert heard("trainer", "a | table | " + POLICY) is not None


def test_a_containers_end_is_a_signal_too() -> None:
    assert exited("trainer", 137) == Signal("exited", "trainer", code=137)


COUNTS: dict[str, tuple[Source, dict[str, int]]] = {
    "console/training-20220611230350-EHNgTNY2T9-77qXhqjBi6A-sagemaker.log": (
        "trainer",
        {"training-worker": 1, "ip-uploaded": 1, "saving": 29, "uploaded": 29, "best-and-last": 29, "ready": 1,
         "episode": 567, "iteration": 84},
    ),
    "drfc-robomaker.log": (
        "simulator",
        {"waiting-ip": 13, "restored": 5, "sim-trace": 1064, "episode": 40, "evaluation": 59, "additional-evaluation": 39},
    ),
    "droa/training-simulation.log": ("simulator", {"restored": 2, "sim-trace": 846, "episode": 40, "evaluation": 2}),
    "2019/deepracer-eval-sim-sample.log": ("simulator", {"sim-trace": 480, "evaluation": 3}),
}  # fmt: skip
"""Counted by hand in logs of real trainings, which are no part of this project."""


def test_real_logs_are_understood_line_by_line_where_they_are_at_hand() -> None:
    logs = real_logs()
    for name, (source, counts) in COUNTS.items() if logs is not None else ():
        assert logs is not None
        lines = (logs / name).read_text(errors="replace").splitlines()
        signals = [signal for line in lines if (signal := heard(source, line)) is not None]
        assert dict(Counter(signal.kind for signal in signals)) == counts, name
        firsts = [signal for signal in signals if signal.kind == "iteration" and signal.n == 0]
        if firsts:
            saved = [signal.n for signal in signals if signal.kind == "uploaded"]
            assert saved == list(range(len(firsts) + 1))  # a set before the first iteration, and one after each
            assert {signal.learning_rate for signal in firsts} == {0.0003}
            assert all(signal.entropy is not None and 1 < signal.entropy < 3 for signal in firsts)
