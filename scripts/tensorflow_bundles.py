"""Writes the small checkpoints of tests/unit/deepracer/weights/bundles/ with TensorFlow itself, and what it reads from them.

Not run by tests: TensorFlow is none of fleet's dependencies. In an environment of its own:

    pip install tensorflow-cpu==2.21.0 && python scripts/tensorflow_bundles.py

``tf1``: tf.compat.v1's Saver, as DeepRacer's trainer uses it, with Adam; ``nan``: the same with weights that are no
numbers; ``tf2``: tf.train.Checkpoint; ``sliced``: a variable in slices; ``types``: one tensor of each type.
``expected.json``: of each what TensorFlow says (names, types, shapes, counts of NaN and infinities, magnitudes).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # type: ignore[import-not-found,import-untyped,unused-ignore]

v1 = tf.compat.v1
WHERE = Path(__file__).parent.parent / "tests" / "unit" / "deepracer" / "weights" / "bundles"
SCOPE = "main_level/agent/main/online/network_0"


def trained(base: Path, poison: dict[str, Any] | None = None) -> None:
    """A network of the names that Coach gives, one step of Adam, and what is to be put in its place."""
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(3)
        with v1.variable_scope(SCOPE):
            kernel = v1.get_variable("observation/Conv2d_0/kernel", [3, 3, 1, 4])
            bias = v1.get_variable("observation/Conv2d_0/bias", [4], initializer=v1.zeros_initializer())
            out = v1.get_variable("ppo_head_0/policy_mean/kernel", [4, 5])
        step = v1.train.get_or_create_global_step()
        loss = sum(v1.reduce_sum(v1.square(one - 0.5)) for one in (kernel, bias, out))
        train = v1.train.AdamOptimizer(3e-4).minimize(loss, global_step=step)
        session.run(v1.global_variables_initializer())
        session.run(train)
        for variable in v1.global_variables():
            for part, value in (poison or {}).items():
                if variable.op.name.endswith(part):
                    changed = session.run(variable)
                    changed.flat[: len(value)] = value
                    variable.load(changed, session)
        v1.train.Saver().save(session, str(base), write_state=False)


def sliced(base: Path) -> None:
    """One variable of which two parts were saved."""
    with tf.Graph().as_default(), v1.Session() as session:
        part = v1.fixed_size_partitioner(2)
        v1.get_variable("embedding", [6, 3], initializer=v1.constant_initializer(list(range(9))), partitioner=part)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(base), write_state=False)


def types(base: Path) -> None:
    """One tensor of each type that a checkpoint can hold numbers of."""
    numbers = [[0.5, -3.0], [1.25, 2.0]]
    wanted = [tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128]
    wanted += [tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32, tf.uint32, tf.int64, tf.uint64, tf.bool]
    tensors = {one.name: tf.cast(tf.constant(numbers, tf.float64), one) for one in wanted if not one.is_unsigned}
    tensors |= {one.name: tf.cast(tf.constant([[1, 2], [3, 4]]), one) for one in wanted if one.is_unsigned}
    tensors |= {"string": tf.constant(["a text", ""]), "empty": tf.zeros([0, 7]), "scalar": tf.constant(7.0)}
    tensors |= {"half_nan": tf.constant([1.0, float("nan"), float("-inf")], tf.float16)}
    tensors |= {"bfloat16_nan": tf.constant([1.0, float("nan"), float("inf")], tf.bfloat16)}
    tensors |= {"large": tf.constant([3e38, 3e38, -3e38], tf.float32), "huge": tf.constant([1.7e308, 2e307], tf.float64)}
    names = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(base), tensor_names=names, shape_and_slices=[""] * len(names), tensors=[tensors[name] for name in names]
    )


def objects(base: Path) -> None:
    """What today's TensorFlow saves."""
    model = tf.keras.Sequential([tf.keras.layers.Input([3]), tf.keras.layers.Dense(4), tf.keras.layers.Dense(2)])
    model.compile(tf.keras.optimizers.Adam(1e-3), "mse")
    model.fit(np.ones([4, 3]), np.zeros([4, 2]), verbose=0)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(base))


def told(base: Path) -> dict[str, Any]:
    """What TensorFlow reads."""
    reader, found = tf.train.load_checkpoint(str(base)), {}
    for name, shape in sorted(reader.get_variable_to_shape_map().items()):
        kind = reader.get_variable_to_dtype_map()[name].name
        one: dict[str, Any] = {"dtype": kind, "shape": list(shape)}
        if kind.startswith(("float", "bfloat", "complex")):
            value = np.asarray(reader.get_tensor(name))
            if kind.startswith("complex"):
                value = np.stack([value.real, value.imag])
            value = value.astype(np.float64)
            finite = value[np.isfinite(value)]
            one |= {"nan": int(np.isnan(value).sum()), "infinite": int(np.isinf(value).sum())}
            one["largest"] = float(np.abs(finite).max(initial=0.0))
            one["norm"] = float(np.hypot.reduce(finite.ravel(), initial=0.0))
        found[name] = one
    return found


def main() -> None:
    """All of them."""
    shutil.rmtree(WHERE, ignore_errors=True)
    WHERE.mkdir(parents=True)
    nan = float("nan")
    trained(WHERE / "tf1")
    trained(WHERE / "nan", {"policy_mean/kernel": [nan, nan, float("inf")], "Conv2d_0/bias/Adam_1": [nan]})
    sliced(WHERE / "sliced")
    types(WHERE / "types")
    objects(WHERE / "tf2")
    for meta in WHERE.glob("*.meta"):
        meta.unlink()  # the graph: nothing that is read here
    names = sorted(path.stem for path in WHERE.glob("*.index"))
    expected = {name: told(WHERE / name) for name in names}
    (WHERE / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
