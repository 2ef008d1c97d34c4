"""How long it takes to look at a model's weights: of 75 MB, in TensorFlow's format; and what that adds to a resume.

python -m benchmarks.deepracer_weights [PYTHON_WITH_TENSORFLOW]

The peer is TensorFlow itself (tf.train.load_checkpoint and numpy.isfinite), if an interpreter that has it is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from fleet.workloads.deepracer.mirror import Look, copy_repaired
from fleet.workloads.deepracer.prefix import open_folder
from fleet.workloads.deepracer.weights.inspecting import inspect_files
from fleet.workloads.deepracer.weights.judging import files_must_be_finite
from tests.unit.deepracer.weights.bundling import write

LAYERS, NUMBERS = 20, 320_000
"""Of each layer the weights and the two moments that Adam remembers of it: 77 MB."""
ROUNDS = 5
MEMORY = """
import pathlib, resource, sys
from fleet.workloads.deepracer.weights.inspecting import inspect_files
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
inspect_files(pathlib.Path(sys.argv[1]))
print(f"{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3:.0f} MB")
"""
PEER = """
import sys, time
began = time.perf_counter()
import numpy, tensorflow
took = time.perf_counter() - began
reader = tensorflow.train.load_checkpoint(sys.argv[1])
assert all(numpy.isfinite(reader.get_tensor(name)).all() for name in reader.get_variable_to_shape_map())
print(f"{time.perf_counter() - began - took:.2f} s, and {took:.1f} s to import it")
"""


def main() -> None:
    """Print the best of some rounds of each."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "model", "12_Step-3456.ckpt")
        layer = array("f", [0.25, -0.125, 0.5, -1.5] * (NUMBERS // 4)).tobytes()
        names = [f"layer_{n}/kernel{slot}" for n in range(LAYERS) for slot in ("", "/Adam", "/Adam_1")]
        write(base, {name: (1, [NUMBERS], layer) for name in names})
        size = len(layer) * len(names) / 1e6
        print(f"{size:.0f} MB, {len(names)} tensors")
        print(f"NaN and infinities, and checksums: {_best(lambda: inspect_files(base, closely=False)):.2f} s")
        print(f"magnitudes, too:                   {_best(lambda: inspect_files(base)):.2f} s")
        plain, looked = _best(lambda: _copy(Path(folder), None)), _best(lambda: _copy(Path(folder), _look))
        print(f"a resume's copy on one disk:       {plain:.2f} s, with a look {looked:.2f} s")
        said = subprocess.run([sys.executable, "-c", MEMORY, base], check=True, capture_output=True, text=True)
        print(f"memory for it, at its most:        {said.stdout.strip()}")
        if len(sys.argv) > 1:
            env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            said = subprocess.run([sys.argv[1], "-c", PEER, base], env=env, check=True, capture_output=True, text=True)
            print(f"TensorFlow:                        {said.stdout.strip()}")


def _copy(folder: Path, look: Look | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as target:
        copy_repaired(open_folder(folder), open_folder(Path(target)), 12, folder / "own", look=look)


def _look(base: Path) -> None:
    files_must_be_finite(base, print)


def _best(what: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        what()
        took.append(time.perf_counter() - began)
    return min(took)


if __name__ == "__main__":
    main()
