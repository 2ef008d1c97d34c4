"""Job files that are no job, or cannot be meant: told in a line each, with its place, before anything is made."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fleet.model.errors import JobError
from fleet.model.job import Job
from fleet.model.jobfile import parse_job
from fleet.model.units import parse_duration, parse_money, parse_size_gb
from fleet.store.scripts import missing_scripts
from fleet.store.workdir import read_job

MINIMAL = "name: mine\nrun: echo train\n"


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(JobError) as told:
        read_job(path)
    assert str(path) in told.value.message
    return str(told.value)


def problems(extra: str) -> list[str]:
    with pytest.raises(JobError) as told:
        parse_job(MINIMAL + extra + "\n", "job.yaml")
    return told.value.message.splitlines()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# only a comment\n", b"---\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told_what_a_job_needs(tmp_path: Path, data: bytes) -> None:
    told = refusal(tmp_path / "job.yaml", data)
    assert "is empty" in told
    assert "`name` and `run`" in told


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\xff\xfe", b"\x7fELF\x02\x01\x01\0\0\0", b"name: a\0\nrun: b\n"])
def test_a_binary_file_is_no_job_file(tmp_path: Path, data: bytes) -> None:
    assert "is not text" in refusal(tmp_path / "job.yaml", data)


@pytest.mark.parametrize("data", [b"name: a\nrun: b\n" + b"# x\n" * 2_500_000, b"\0" * 10_000_000])
def test_ten_megabytes_are_refused_by_their_size(tmp_path: Path, data: bytes) -> None:
    told = refusal(tmp_path / "job.yaml", data)
    assert "1,000,000 bytes" in told
    assert "Name the right file" in told


def test_a_file_without_an_end_is_read_no_further_than_a_job_file_may_reach() -> None:
    with pytest.raises(JobError, match="that is no job file"):
        read_job(Path("/dev/zero"))


def test_a_job_may_come_through_a_pipe_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode()))
    writer.start()
    job, _ = read_job(pipe)
    writer.join(10)
    assert job.name == "mine"


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    (told,) = problems("volume:\n  size: 5GB\n  size: 6GB")
    assert told == "job.yaml:5:3: 'size' stands here twice; first in line 4"


def test_a_tab_is_told_as_a_tab(tmp_path: Path) -> None:
    told = refusal(tmp_path / "job.yaml", b"name: a\nvolume:\n\tsize: 5GB\nrun: b\n")
    assert ":3:1:" in told
    assert "never with tabs" in told


@pytest.mark.parametrize(
    ("extra", "meant"),
    [
        ("bugdet: {run: $5}", "budget"),
        ("volume: {sise: 5GB}", "size"),
        ("checkpoint: {evry: 5m}", "every"),
        ("size: 5GB", "volume.size"),
        ("market: spot", "resources.market"),
        ("max_prise: $1", "resources.max_price"),
        ("resources: {any_of: [{markt: spot}]}", "market"),
    ],
)
def test_an_unknown_field_is_told_with_the_nearest_known_one(extra: str, meant: str) -> None:
    (told,) = problems(extra)
    assert f"did you mean '{meant}'?" in told


@pytest.mark.parametrize(
    ("extra", "place", "told"),
    [
        ("stack: compose.yaml", ":3:8:", "either run or stack"),
        ("secrets: [KEY]\nenvs: {KEY: x}", ":3:11:", "stands under envs too"),
        ("max_duration: 1h\ncheckpoint: {every: 2h}", ":4:21:", "nothing would be saved before the end"),
        ("envs: {FLEET_RUN: mine}", ":3:19:", "overwritten"),
        ("secrets: [FLEET_TOKEN]", ":3:11:", "overwritten"),
        ("setup: '  '", ":3:8:", "setup is empty"),
        ("volume: {mount: data}", ":3:17:", "absolute path"),
        ("volume: {mount: /}", ":3:17:", "absolute path"),
        ("volume: {mount: /mnt/../etc}", ":3:17:", "absolute path"),
        ("envs: {'NOT A NAME': x}", ":3:22:", "no name of a variable"),
    ],
)
def test_fields_that_cancel_each_other_are_told(extra: str, place: str, told: str) -> None:
    found = problems(extra)
    assert any(place in line and told in line for line in found), found


def test_a_run_of_nothing_is_no_success_but_a_mistake() -> None:
    with pytest.raises(JobError, match="run is empty"):
        parse_job("name: a\nrun: ''\n", "job.yaml")


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("volume: {size: -5GB}", "no size"),
        ("volume: {size: 0GB}", "must be more than 0"),
        ("volume: {size: 65000TB}", "more than any cloud offers"),
        (f"volume: {{size: {'9' * 400}GB}}", "no size"),
        ("max_duration: -5m", "no duration"),
        ("max_duration: 0s", "must be more than 0"),
        ("max_duration: 900000d", "more than ten years"),
        (f"max_duration: {'9' * 400}d", "more than ten years"),
        ("volume: {keep: 400000h}", "more than ten years"),
        ("checkpoint: {every: 0s}", "must be more than 0"),
        ("checkpoint: {keep: 0}", "must be at least 2"),
        ("checkpoint: {keep: -1}", "must be at least 2"),
        ("retries: {training: -1}", "must be at least 0"),
        ("retries: {training: 1000}", "must be at most 100"),
        ("budget: {run: -$5}", "budget.run"),
        ("budget: {run: $-5}", "less than nothing"),
        ("budget: {run: $0}", "lets nothing run"),
        ("budget: {run: $99999999999}", "budget.run"),
        ("budget: {run: $50000000}", "more than can be meant"),
        ("resources: {max_price: $0}", "buys no machine"),
        ("resources: {max_price: $5000}", "more than can be meant"),
        ("resources: {any_of: [{max_price: $5000}]}", "more than can be meant"),
    ],
)
def test_amounts_that_cannot_be_meant_are_refused_in_a_line(extra: str, told: str) -> None:
    found = problems(extra)
    assert len(found) == 1, found
    assert told in found[0]
    assert found[0].startswith("job.yaml:3:")


@pytest.mark.parametrize("text", ["9" * 400, "1e999", "nan", "inf", "-1"])
def test_no_number_however_large_is_more_than_a_value_error(text: str) -> None:
    for parse, unit in ((parse_size_gb, "GB"), (parse_duration, "d"), (parse_money, "")):
        try:
            parse(f"{text}{unit}")
        except ValueError:
            continue


@pytest.mark.parametrize(
    "extra",
    [
        "outputs: [../other/*.bin]",
        "outputs: [/etc/passwd]",
        "outputs: [~/x]",
        "outputs: ['']",
        "checkpoint: {path: ../elsewhere}",
        "checkpoint: {path: /mnt}",
        "file_mounts: {../outside: x}",
        "file_mounts: {a/../../b: x}",
    ],
)
def test_a_path_out_of_its_folder_is_refused(extra: str) -> None:
    (told,) = problems(extra)
    assert "inside" in told


# --- scripts that would not be on the machine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("train.py", "setup.sh", "sub/eval.py", "kept_back.py"):
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("kept_back.py\n")
    return tmp_path


def missing(folder: Path, run: str, **job: object) -> list[str]:
    return missing_scripts(Job.model_validate({"name": "a", "workdir": ".", "run": run, **job}), folder)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("python nowhere.py", "nowhere.py"),
        ("python3 -u nowhere.py --lr 1e-3 2>&1 | tee log.txt", "nowhere.py"),
        ("LR=1 CUDA_VISIBLE_DEVICES=0 nohup python nowhere.py &", "nowhere.py"),
        ("echo begin\npip install -r requirements.txt\npython train.py && python later.py", "later.py"),
        ("cd sub && python train.py", "sub/train.py"),
        ("./nowhere.sh", "nowhere.sh"),
        ("torchrun --nproc_per_node 2 nowhere.py", "nowhere.py"),
        ("uv run python ./deep/nowhere.py", "deep/nowhere.py"),
        ("python \\\n  nowhere.py", "nowhere.py"),
    ],
)
def test_a_script_that_is_not_packed_is_told_before_anything_is_spent(folder: Path, run: str, name: str) -> None:
    (told,) = missing(folder, run)
    assert told == f"the job starts {name}, which is not in the packed workdir: there is no such file"


def test_a_script_that_is_ignored_is_told_as_such(folder: Path) -> None:
    (told,) = missing(folder, "python kept_back.py")
    assert ".gitignore or .fleetignore leaves it out" in told


def test_a_script_without_any_workdir_is_told(folder: Path) -> None:
    (told,) = missing(folder, "python train.py", workdir=None)
    assert "has no workdir" in told


def test_setups_scripts_are_looked_for_too(folder: Path) -> None:
    assert len(missing(folder, "python train.py", setup="bash prepare.sh")) == 1


@pytest.mark.parametrize(
    "run",
    [
        "python train.py",
        "python sub/eval.py",
        "cd sub && python eval.py",
        "bash setup.sh && python -u train.py",
        "python -c 'import this'",
        "python -m package.train",
        "git clone https://example.org/x . && python nowhere.py",
        "make && ./nowhere.sh",
        "cat > nowhere.py <<END\nprint(1)\nEND\npython nowhere.py",
        "echo 'print(1)' > nowhere.py\npython nowhere.py",
        "python $SCRIPT.py",
        "python /opt/tools/x.py",
        "for s in a b; do python $s.py; done",
        "if test -e x; then python nowhere.py; fi",
        "cd $HOME && python nowhere.py",
        "cd .. && python nowhere.py",
        "python mounted/x.py",
        "python one.py",
        "python 'unbalanced",
        "# python nowhere.py\ntrue",
    ],
)
def test_what_may_be_there_all_the_same_is_not_complained_of(folder: Path, run: str) -> None:
    assert missing(folder, run, file_mounts={"mounted": "sub", "one.py": "train.py"}) == []


def test_the_example_is_not_complained_of() -> None:
    job, folder = read_job(Path(__file__).parents[3] / "examples" / "racer")
    assert job.run is not None
    assert missing_scripts(job, folder) == []
    (told,) = missing_scripts(job.model_copy(update={"run": job.run.replace("train.py", "trian.py")}), folder)
    assert "trian.py" in told
