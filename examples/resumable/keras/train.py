"""A small classifier trained with model.fit that can be interrupted at any batch: the same weights, bit for bit."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")  # any backend: nothing below depends on it
os.environ["OMP_NUM_THREADS"] = "1"  # only for equality bit for bit: sums in another order are other sums

import keras
import numpy as np

import fleet

EPOCHS, BATCH, SAVE_EVERY, SEED = 6, 32, 20, 2019
CHECKPOINT = Path(os.environ.get("FLEET_CHECKPOINTS", "checkpoints")) / "state.npz"
MODEL = Path(os.environ.get("FLEET_VOLUME", ".")) / "output" / "model.keras"

keras.utils.set_random_seed(SEED)
random = np.random.default_rng(SEED)
inputs = random.normal(size=(2_000, 20)).astype("float32")
labels = (inputs[:, :5].sum(axis=1) > 0).astype("int32")
batches_per_epoch = (len(inputs) + BATCH - 1) // BATCH


class Batches(keras.utils.PyDataset):
    """The rest of an epoch. Order and noise depend on its number and the batch's place alone: no random state to save."""

    def __init__(self, epoch: int, done: int) -> None:
        super().__init__()
        self.epoch, self.done = epoch, done
        self.order = np.random.default_rng((SEED, epoch)).permutation(len(inputs))

    def __len__(self) -> int:
        return batches_per_epoch - self.done

    def __getitem__(self, index: int) -> Any:
        place = index + self.done
        rows = self.order[place * BATCH : (place + 1) * BATCH]
        noise = np.random.default_rng((SEED, self.epoch, place)).normal(0, 0.05, (len(rows), inputs.shape[1]))
        return inputs[rows] + noise.astype("float32"), labels[rows]


class Keeper(keras.callbacks.Callback):
    """Saves every few batches, when fleet asks, and when the machine is about to go."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        keras.utils.set_random_seed(SEED + steps_done())  # the backend's own random state: a function of the step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = steps_done()
        fleet.progress(step, loss=(logs or {}).get("loss", 0.0))
        if stop or step % SAVE_EVERY == 0 or fleet.save_requested():
            save()
        if stop:
            sys.exit(143)  # not 0: that would say that training is done


def variables() -> dict[str, Any]:
    """Everything that a step changes: weights, optimiser, and the seeds of layers (a .keras file does not hold those)."""
    return {one.path: one for one in [*model.variables, *model.optimizer.variables]}


def steps_done() -> int:
    """Batches since the very beginning. The optimiser counts them, so they are saved with it."""
    return int(model.optimizer.iterations)


def save() -> None:
    """Write all of it as one file that is there whole or not at all: temporary name, fsync, rename."""
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    temporary = CHECKPOINT.with_name(CHECKPOINT.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez(file, **{path: keras.ops.convert_to_numpy(one) for path, one in variables().items()})
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, CHECKPOINT)
    fleet.saved(steps_done())


def restore() -> None:
    """Put everything back."""
    with np.load(CHECKPOINT) as data:
        for path, one in variables().items():
            one.assign(data[path])


stop: list[bool] = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))  # the machine is about to go

model = keras.Sequential(
    [
        keras.layers.Input((20,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dropout(0.2, seed=SEED),
        keras.layers.Dense(2),
    ]
)
rate = keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=EPOCHS * batches_per_epoch)
model.compile(keras.optimizers.AdamW(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.optimizer.build(model.trainable_variables)  # its variables exist from now on, and can be restored

if CHECKPOINT.exists():
    restore()
print(f"begins at step {steps_done()}", flush=True)

while (step := steps_done()) < EPOCHS * batches_per_epoch:
    epoch, done = divmod(step, batches_per_epoch)
    model.fit(Batches(epoch, done), initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, callbacks=[Keeper()])

save()
MODEL.parent.mkdir(parents=True, exist_ok=True)
model.save(MODEL)
