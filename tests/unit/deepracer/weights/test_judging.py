"""What is said of weights that can be read."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from fleet.workloads.deepracer.findings import refuses
from fleet.workloads.deepracer.prefix import open_folder, open_prefix
from fleet.workloads.deepracer.sets import whole_sets
from fleet.workloads.deepracer.weights import judging
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, NotFiniteError
from fleet.workloads.deepracer.weights.inspecting import Weights, inspect, inspect_files
from fleet.workloads.deepracer.weights.judging import files_must_be_finite, judge, must_be_finite, told
from tests.unit.deepracer.trainer import Memory
from tests.unit.deepracer.weights.bundling import BUNDLES, become, lay, write


def weights(folder: Path, **tensors: list[float]) -> Weights:
    """Of such numbers; ``__`` in a name stands for a slash."""
    packed = {name.replace("__", "/"): (1, [len(one)], struct.pack(f"<{len(one)}f", *one)) for name, one in tensors.items()}
    return inspect_files(write(folder / "5_Step-9.ckpt", packed))


def test_healthy_weights_are_accused_of_nothing(tmp_path: Path) -> None:
    assert judge(inspect_files(BUNDLES / "tf1")) == ()
    before = weights(tmp_path / "a", kernel=[0.5, -0.5], bias=[0.0, 0.0])
    after = weights(tmp_path / "b", kernel=[0.9, -2.5], bias=[0.4, 0.3])  # a bias begins at 0: any growth is infinite
    assert judge(after, before) == ()


def test_what_is_no_number_is_an_error_with_names_and_counts() -> None:
    (found,) = judge(inspect_files(BUNDLES / "nan"))
    assert (found.code, refuses([found])) == ("weights-not-finite", True)
    assert "set nan: 2 of 12 tensors hold what is no number" in found.message
    assert "ppo_head_0/policy_mean/kernel (2 NaN and 1 infinite)" in found.message
    assert "Conv2d_0/bias/Adam_1 (1 NaN)" in found.message
    assert "--after-nan" in found.remedy


def test_of_many_only_some_are_named(tmp_path: Path) -> None:
    nan = float("nan")
    assert told(weights(tmp_path, a=[nan], b=[nan], c=[nan], d=[nan], e=[1.0])) == (
        "4 of 5 tensors hold what is no number: a (1 NaN), b (1 NaN), c (1 NaN) and 1 more"
    )


def test_weights_that_no_learning_rate_leads_to_are_a_warning(tmp_path: Path) -> None:
    (found,) = judge(weights(tmp_path / "a", kernel=[0.1, -1001.0]))
    assert (found.code, found.severity) == ("weights-exploding", "warning")
    assert "-1001" not in found.message
    assert "kernel is 1e+03 large" in found.message
    assert judge(weights(tmp_path / "b", kernel=[999.0])) == ()
    large = [1e6]
    others = weights(tmp_path / "c", kernel__Adam_1=large, running_mean=large, kernel=[1.0])
    assert judge(others) == ()  # an optimiser's second moments and statistics are of no such measure


def test_weights_that_grew_many_times_since_the_set_before_are_a_warning(tmp_path: Path) -> None:
    before = weights(tmp_path / "a", kernel=[1.0, 2.0], other=[1.0])
    (found,) = judge(weights(tmp_path / "b", kernel=[10.0, 25.0], other=[1.0]), before)
    assert (found.code, found.severity) == ("weights-growing", "warning")
    assert "kernel grew 12 times" in found.message
    assert judge(weights(tmp_path / "c", kernel=[10.0, 19.0], other=[9.0]), before) == ()
    assert judge(weights(tmp_path / "d", kernel=[10.0, 25.0])) == ()


def test_a_set_of_a_folder_is_read_where_it_lies_and_one_of_a_bucket_is_fetched(tmp_path: Path) -> None:
    lay("nan", tmp_path / "model" / "3_Step-7.ckpt")
    folder = open_folder(tmp_path)
    (found,) = whole_sets(folder.list())
    here = inspect(folder, found)
    bucket = Memory(files={name: (folder.read(name), 1.0) for name in folder.list()})
    own = tmp_path / "own"
    assert inspect(bucket, found, own=own) == here
    assert list(own.iterdir()) == []
    assert here.stem == "3_Step-7.ckpt"
    assert len(here.not_finite) == 2


def test_what_is_handed_on_is_finite_or_refused_and_what_cannot_be_read_is_only_told(tmp_path: Path) -> None:
    said: list[str] = []
    bases = {name: lay(name, tmp_path / name / "model" / "3_Step-7.ckpt") for name in ("tf1", "nan")}
    for name, base in bases.items():
        prefix = open_prefix(str(tmp_path / name))
        (found,) = whole_sets(prefix.list())
        if name == "tf1":
            assert must_be_finite(prefix, found, said.append) is not None
            assert files_must_be_finite(base, said.append) is not None
            base.with_name(f"{base.name}.index").write_bytes(b"index")
            assert must_be_finite(prefix, found, said.append) is None
            assert files_must_be_finite(base, said.append) is None
        else:
            with pytest.raises(NotFiniteError, match=f"{tmp_path / name}: set 3_Step-7.ckpt: 2 of 12 tensors"):
                must_be_finite(prefix, found, said.append)
            with pytest.raises(NotFiniteError, match=r"^set 3_Step-7\.ckpt"):
                files_must_be_finite(base, said.append)
    why = "the index is no table of TensorFlow's: its last bytes are others"
    assert said == [f"the weights of set 3_Step-7.ckpt could not be looked at: {why}"] * 2
    broken = Memory()
    broken.write("model/4_Step-1.ckpt.meta", b"")
    become(broken, 4, "broken")
    with pytest.raises(BrokenWeightsError, match=r"memory: set 4_Step-1\.ckpt: the data are broken"):
        must_be_finite(broken, whole_sets(broken.list())[0], said.append)


def test_a_set_that_would_take_long_is_not_looked_at_before_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(judging, "MOST", 700)
    assert files_must_be_finite(lay("nan", tmp_path / "3_Step-7.ckpt"), said.append) is None
    assert said == ["set 3_Step-7.ckpt is too large to be looked at before it is used"]
