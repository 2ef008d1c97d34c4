"""A small classifier that can be interrupted anywhere: the same weights, bit for bit, however often it is."""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fleet

EPOCHS, BATCH, SAVE_EVERY, SEED = 6, 32, 20, 2019
CHECKPOINT = Path(os.environ.get("FLEET_CHECKPOINTS", "checkpoints")) / "state.pt"
MODEL = Path(os.environ.get("FLEET_VOLUME", ".")) / "output" / "model.pt"

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.use_deterministic_algorithms(True)  # only if the result must be the same bit for bit; it costs some speed
torch.set_num_threads(1)  # sums in another order are other sums
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)

inputs = torch.randn(2_000, 20, generator=torch.Generator().manual_seed(SEED))
data = TensorDataset(inputs, (inputs[:, :5].sum(dim=1) > 0).long())
batches_per_epoch = (len(data) + BATCH - 1) // BATCH

model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 2)).to(device)
optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=EPOCHS * batches_per_epoch)
scaler = torch.amp.GradScaler(device, growth_interval=50)
step = 0  # batches done since the very beginning: it says the epoch and the place in it


def save() -> None:
    """Write everything that the next step depends on, as one file that is there whole or not at all."""
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "scheduler": scheduler.state_dict(),
        "scaler": scaler.state_dict(),
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if device == "cuda" else [],
    }
    write_whole(CHECKPOINT, state)
    fleet.saved(step)


def write_whole(path: Path, state: Any) -> None:
    """Temporary name, fsync, rename: nobody ever sees half a file, not even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def restore() -> int:
    """Put everything back; the step to go on from."""
    state = torch.load(CHECKPOINT, map_location=device, weights_only=False)  # a file of your own: it holds more than weights
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    scheduler.load_state_dict(state["scheduler"])
    scaler.load_state_dict(state["scaler"])
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"].cpu())
    if device == "cuda":
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    return int(state["step"])


def batches_of(epoch: int, done: int) -> DataLoader:
    """The rest of an epoch: its order depends on nothing but its number, so the place in it is all there is to save."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(SEED + epoch)).tolist()
    left = [order[at : at + BATCH] for at in range(done * BATCH, len(order), BATCH)]
    # Workers and the iterator draw seeds of their own: from here, not from the random state that is saved.
    return DataLoader(data, batch_sampler=left, generator=torch.Generator().manual_seed(SEED + epoch))


def augmented(batch: torch.Tensor) -> torch.Tensor:
    """What random and NumPy are often used for."""
    if random.random() < 0.5:
        batch = batch + torch.from_numpy(np.random.normal(0, 0.05, batch.shape)).float().to(device)
    return batch


stop: list[bool] = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))  # the machine is about to go

if CHECKPOINT.exists():
    step = restore()
print(f"begins at step {step}", flush=True)

for epoch in range(step // batches_per_epoch, EPOCHS):
    for features, labels in batches_of(epoch, done=step % batches_per_epoch):
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(augmented(features.to(device))), labels.to(device))
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        scheduler.step()
        step += 1
        fleet.progress(step, loss=loss.item())
        if stop or step % SAVE_EVERY == 0 or fleet.save_requested():
            save()
        if stop:
            sys.exit(143)  # not 0: that would say that training is done

save()
write_whole(MODEL, model.state_dict())
