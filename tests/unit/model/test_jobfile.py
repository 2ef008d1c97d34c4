"""Job files: every problem at once, each with its place; nothing is ignored, nothing crashes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.errors import JobError
from fleet.model.job import Job
from fleet.model.jobfile import NOT_YET, parse_job

MINIMAL = "name: mine\nrun: python train.py\n"


def problems(text: str) -> list[str]:
    with pytest.raises(JobError) as told:
        parse_job(text, "job.yaml")
    return told.value.message.splitlines()


def test_a_minimal_job_has_sensible_defaults() -> None:
    job = parse_job(MINIMAL, "job.yaml")
    assert (job.name, job.run, job.resources.market, job.volume.size) == ("mine", "python train.py", "spot-first", 500)
    assert job.checkpoint.format == "rename"


def test_everything_that_works_now_is_read() -> None:
    job = parse_job(
        """
name: racer
workdir: .
resources:
  infra: local/here/here-a
  instance_type: [small, medium]
  market: spot
  max_price: $0.50
volume: {size: 1TB, mount: /data, keep: 3d}
bucket: file:///somewhere
checkpoint: {path: ckpt, format: marker, every: 15m, keep: 3}
outputs: [out/*.bin]
envs: {LR: 1e-4, FLAG: yes, N: 007, EMPTY: ""}
setup: pip install x
run: |
  python a.py
  python b.py
max_duration: 1d12h
budget: {run: $5}
retries: {training: 0, boot: 1}
""",
        "job.yaml",
    )
    assert job.resources.instance_type == ("small", "medium")
    assert (job.resources.max_price, job.budget.run) == (500_000, 5_000_000)
    assert (job.volume.size, job.volume.keep) == (1000, 3 * 86400)
    assert (job.checkpoint.every, job.max_duration) == (900, 129_600)
    assert job.envs == {"LR": "1e-4", "FLAG": "yes", "N": "007", "EMPTY": ""}
    assert job.retries.training == 0


def test_every_problem_is_told_with_line_and_column() -> None:
    told = problems(
        """name: Mine!
rnu: python train.py
resources:
  market: spto
  max_price: 5
volume:
  size: 500
max_duration: 12
"""
    )
    places = {line.split(" ")[0] for line in told}
    assert places >= {
        "job.yaml:1:7:",
        "job.yaml:2:1:",
        "job.yaml:4:11:",
        "job.yaml:5:14:",
        "job.yaml:7:9:",
        "job.yaml:8:15:",
    }
    text = "\n".join(told)
    assert "did you mean 'run'?" in text
    assert "spot-first" in text
    assert "$5" in text
    assert "500GB" in text
    assert "12m" in text


@pytest.mark.parametrize(
    "extra",
    [
        "resources: {any_of: [{infra: azure}]}",
        "resources: {infra: azure/westeurope}",
        "num_nodes: 2",
        "file_mounts: {/data: 's3://bucket/data'}",
        "bucket: az://mine",
    ],
)
def test_what_does_not_work_yet_is_refused_never_ignored(extra: str) -> None:
    told = problems(MINIMAL + extra + "\n")
    assert len(told) == 1
    assert "not yet" in told[0]
    assert told[0].startswith("job.yaml:3:")


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("resources: {infra: aws/us-east}", "no region"),
        ("resources: {infra: aws/us-east-1/us-west-2a}", "no zone of us-east-1"),
        ("resources: {infra: aws/us-east-1/us-east-1a/x}", "too many parts"),
        ("resources: {infra: gcp/us-east-1}", "'us-east-1' is no region of Google Cloud; write for example gcp/us-central1"),
        ("resources: {infra: gcp/us-central1/us-central1a}", "write for example gcp/us-central1/us-central1-a"),
        ("resources: {infra: gcp/us-central1/europe-west4-a}", "no zone of us-central1"),
        ("resources: {infra: gcp/us-central1/us-central1-a/x}", "too many parts"),
        ("resources: {infra: gcp}\nbucket: file:///tmp/x", "lies on this computer"),
        ("resources:\n  any_of: [{infra: aws/nowhere}]", "resources.any_of.infra: 'nowhere' is no region"),
        ("resources: {infra: aws}\nbucket: file:///tmp/x", "lies on this computer"),
        ("resources: {image_id: ami-1}", "machines of local are processes"),
        ("resources: {disk_size: 100GB}", "machines of local are processes"),
        ("resources: {infra: aws}\nkeep_failed: 10", "has no unit"),
    ],
)
def test_what_fits_no_cloud_is_told_before_anything_is_spent(extra: str, told: str) -> None:
    found = problems(MINIMAL + extra + "\n")
    assert len(found) == 1
    assert told in found[0]


def test_a_job_for_ec2_names_what_only_a_clouds_machine_has() -> None:
    text = """resources:
  infra: aws/us-east-1/us-east-1a
  instance_type: [g4dn.xlarge, g3s.xlarge]
  image_id: ubuntu-24.04
  disk_size: 150GB
bucket: s3://mine/fleet
keep_failed: 10m
"""
    job = parse_job(MINIMAL + text, "job.yaml")
    assert (job.resources.infra, job.resources.disk_size) == ("aws/us-east-1/us-east-1a", 150)
    assert (job.keep_failed, job.bucket) == (600, "s3://mine/fleet")


def test_a_job_may_go_to_either_cloud_with_a_bucket_on_one_of_them() -> None:
    text = """resources:
  any_of:
    - {infra: aws/us-east-1, accelerators: T4}
    - {infra: gcp/us-central1, instance_type: n1-standard-4, accelerators: "T4:1", market: spot}
    - {infra: gcp/europe-west4/europe-west4-a, instance_type: "n1-standard-8+1xT4"}
bucket: gs://mine/fleet
"""
    job = parse_job(MINIMAL + text, "job.yaml")
    assert [one.infra for one in job.resources.any_of] == [
        "aws/us-east-1",
        "gcp/us-central1",
        "gcp/europe-west4/europe-west4-a",
    ]
    assert job.resources.any_of[2].instance_type == ("n1-standard-8+1xT4",)
    assert job.bucket == "gs://mine/fleet"


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("secrets: [TOKEN]\nenvs: {TOKEN: x}", "stands under envs too"),
        ("secrets: ['not a name']", "secrets"),
        ("file_mounts: {../up: x}", "inside the workdir"),
        ("file_mounts: {/: x}", "inside the workdir"),
    ],
)
def test_secrets_and_mounts_are_checked(extra: str, told: str) -> None:
    assert told in "\n".join(problems(MINIMAL + extra + "\n"))


def test_alternatives_are_checked_like_resources() -> None:
    text = (
        MINIMAL
        + "resources:\n  accelerators: K80:2\n  any_of:\n    - {market: spot, max_price: $1}\n    - market: on-demand\n"
    )
    job = parse_job(text, "job.yaml")
    assert [one.market for one in job.resources.any_of] == ["spot", "on-demand"]
    told = problems(MINIMAL + "resources:\n  any_of:\n    - {markt: spot}\n    - {max_price: 1}\n    - 5\n")
    assert told[0].startswith("job.yaml:5:8:")
    assert "did you mean 'market'?" in told[0]
    assert "$1" in told[1]
    assert told[2].startswith("job.yaml:7:")
    assert "no field" in problems(MINIMAL + "resources: {any_of: [{disk_size: 5GB}]}\n")[0]


@pytest.mark.parametrize("wrong", ["'K80:0'", "'K80:'", "[K80]", "'a b'", "{K80: 2}"])
def test_accelerators_are_a_name_and_a_count(wrong: str) -> None:
    assert "accelerators" in "\n".join(problems(MINIMAL + f"resources: {{accelerators: {wrong}}}\n"))


def test_a_workload_stands_instead_of_commands_and_says_which_kind_it_is() -> None:
    job = parse_job("name: mine\nworkdir: .\nworkload: {kind: deepracer, workers: 2}\n", "job.yaml")
    assert job.workload == {"kind": "deepracer", "workers": 2}
    assert job.in_containers
    assert problems("name: mine\nworkload: {kind: deepracer}\n") == [
        "job.yaml:2:11: workload: its files lie in the workdir; add `workdir: .`"
    ]
    assert problems("name: mine\nworkdir: .\nworkload: {workers: 2}\n") == [
        "job.yaml:3:11: workload: which kind? Write `workload: {kind: deepracer}`"
    ]
    assert "not both" in problems("name: mine\nworkdir: .\nrun: a\nworkload: {kind: deepracer}\n")[0]
    assert "run or stack or workload" in problems("name: a\nworkdir: .\nrun: a\nstack: b\nworkload: {kind: c}\n")[0]


def test_a_budget_may_be_for_a_day_and_a_month_of_a_zone() -> None:
    job = parse_job("name: mine\nrun: x\nbudget: {day: $3, month: $30, time_zone: Europe/Berlin}\n", "job.yaml")
    assert (job.budget.day, job.budget.month, job.budget.time_zone) == (3_000_000, 30_000_000, "Europe/Berlin")
    told = problems("name: mine\nrun: x\nbudget: {day: $3, time_zone: Europe/Berln}\n")
    assert told == [
        "job.yaml:3:30: budget.time_zone: 'Europe/Berln' is no time zone. Did you mean Europe/Berlin or Europe/Dublin?"
    ]
    assert "a budget for neither" in problems("name: mine\nrun: x\nbudget: {run: $3, time_zone: UTC}\n")[0]
    assert "is no text" in problems("name: mine\nrun: x\nbudget: {day: $3, time_zone: [a]}\n")[0]


def test_a_stack_stands_instead_of_commands_and_lies_in_the_workdir() -> None:
    job = parse_job("name: mine\nworkdir: .\nstack: deploy/compose.yaml\n", "job.yaml")
    assert (job.stack, job.run) == ("deploy/compose.yaml", None)
    assert problems("name: mine\nstack: compose.yaml\n") == [
        "job.yaml:2:8: stack: a compose file lies in the workdir; add `workdir: .`"
    ]
    for outside in ("../compose.yaml", "/etc/compose.yaml", "~/compose.yaml", "''"):
        assert problems(f"name: mine\nworkdir: .\nstack: {outside}\n")[0].startswith("job.yaml:3:8: stack:")
    assert "no text" in problems("name: mine\nworkdir: .\nstack: [a]\n")[0]


def test_the_list_of_what_does_not_work_yet_names_only_known_fields() -> None:
    for name in NOT_YET:
        model: object = Job
        for part in name.split("."):
            fields = getattr(model, "model_fields", {})
            assert part in fields
            model = fields[part].annotation


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("- a\n- b\n", "mapping"),
        ("name: a\n\trun: b\n", "job.yaml:2:"),
        ("name: [a\n", "job.yaml:"),
        ("name: a\nname: b\nrun: c\n", "twice"),
        ("name: a\nrun: b\nstack: c\n", "not both"),
        ("name: a\n", "run is missing"),
        ("run: a\n", "name: is missing"),
        ("name: a\nrun: 5\n", "no text"),
        ("name: a\nrun: b\nenvs: {A: }\n", "no value"),
        ("name: a\nrun: b\noutputs: [../secrets]\n", "inside its folder"),
        ("name: a\nrun: b\ncheckpoint: {path: /etc}\n", "inside its folder"),
        ("name: a\nrun: b\nvolume: {size: 900TB}\n", "more than any cloud"),
        ("name: a\nrun: b\nvolume: 5\n", "volume"),
        ("a: &a [*a]\n", "job.yaml"),
        ("\0", "not text"),
        ("name: a\nrun: b\nvolume: {size: -5GB}\n", "no size"),
        ("name: a\nrun: b\nbudget: {run: $-5}\n", "budget.run"),
        ("name: " + "a" * 41 + "\nrun: b\n", "40 at most"),
    ],
)
def test_each_mistake_has_its_message(text: str, told: str) -> None:
    assert told in "\n".join(problems(text))


def test_a_bomb_of_anchors_is_refused() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 8)}]\n" for n in range(8)
    )
    assert "too much" in "\n".join(problems(bomb))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_ever_more_than_a_job_error(text: str) -> None:
    with contextlib.suppress(JobError):
        parse_job(text, "job.yaml")


_leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
_value = st.recursive(
    _leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
_fields = [*Job.model_fields, "naem"]
_sections = st.fixed_dictionaries(
    {}, optional={"resources": _value, "volume": _value, "checkpoint": _value, "budget": _value, "retries": _value}
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(_fields), _value, max_size=6), _sections)
def test_no_wrong_value_is_ever_more_than_a_job_error(fields: dict[str, object], sections: dict[str, object]) -> None:
    text = yaml.safe_dump({**fields, **sections}, allow_unicode=True)
    try:
        job = parse_job(text, "job.yaml")
    except JobError:
        return
    assert Job.model_validate(job.model_dump()) == job


def test_the_racer_is_a_job() -> None:
    path = Path(__file__).parents[3] / "examples" / "racer" / "fleet.yaml"
    assert parse_job(path.read_text(), str(path)).name == "racer"
