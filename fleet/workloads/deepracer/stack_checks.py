"""The doctor's checks of a stack: its bucket, files, containers, progress. Pure.

Where nothing trains they say so, and that is no complaint. What is not known is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleet.workloads.deepracer.machine_checks import gpus, no_gpu
from fleet.workloads.deepracer.probed import Line, Probed, Wish, json_of

SLOW = 0.7
"""Of real time; about 0.9 is usual."""
STALE_LOCK = 120.0
HOUR = 3600.0


def bucket(seen: Probed, wish: Wish) -> Line:
    """The stack's bucket holds something."""
    if seen.stack is None:
        return Line("bucket", "cannot tell", unseen(wish), "")
    if not wish.storage:
        return Line("bucket", "cannot tell", "the stack writes to the run's own bucket: `fleet doctor` looks at that", "")
    if seen.stack:
        size = sum(one[1] for one in seen.stack)
        return Line("bucket", "ok", f"the S3 look-alike holds {len(seen.stack)} objects, {size / 1e9:.2f} GB")
    if not wish.training:
        return Line("bucket", "ok", "nothing has been written yet")
    return Line(
        "bucket", "not ok", "the S3 look-alike holds nothing", "Credentials or endpoint: the logs of s3 and of coach tell."
    )


def custom_files(seen: Probed, wish: Wish) -> Line:
    """Reward function, metadata and hyperparameters can be read."""
    if not wish.trains:
        return Line("custom files", "ok", "an evaluation has them from its model")
    if seen.model is None:
        return Line("custom files", "cannot tell", unseen(wish), "`fleet deepracer check DIR` looks at a model's folder.")
    wrong = [f"{name}: {what}" for name, what in seen.model.items() if what]
    if wrong:
        return Line("custom files", "not ok", "; ".join(wrong), "Mend them: `fleet deepracer check` says more.")
    return Line("custom files", "ok", f"{', '.join(seen.model)} can be read")


def unseen(wish: Wish) -> str:
    """Why nothing is known of the stack."""
    return "nothing of it can be seen from here" if wish.training else "no training runs here"


ROLES = {
    "s3": r"minio|(?:^|[-_])s3(?:$|[-_]\d|[-_])",
    "coach": r"coach",
    "trainer": r"algo-|trainer",
    "simulator": r"simulator|robomaker",
}


def role_of(row: Mapping[str, Any], run: str | None = None) -> str | None:
    """What a container is in the stack, by fleet's label or by its name; None: another's, or another run's."""
    labels, name = str(row.get("Labels", "")), str(row.get("Names", ""))
    whose = re.search(r"fleet\.run=([^,]+)", labels)
    if run is not None and whose is not None and whose[1] != run:
        return None
    found = re.search(r"fleet\.role=(\w+)", labels)
    if found is not None:
        return found[1]
    if not re.search(r"deepracer|sagemaker-rl|minio|algo-|robomaker|rl_coach", f"{row.get('Image')} {name}"):
        return None
    return next((role for role, pattern in ROLES.items() if re.search(pattern, name)), None)


def containers(seen: Probed, wish: Wish) -> Line:
    """All that belong to the stack run; of those that ended, the one to look at first is named."""
    answer = seen.answer("containers")
    if not answer.good:
        return Line("containers", "cannot tell", answer.last, "")
    rows = [(role, row) for row in _rows(answer.out) if (role := role_of(row, wish.run)) is not None]
    running = [role for role, row in rows if row.get("State") == "running"]
    wanted = {"s3": int(wish.storage), "coach": int(wish.coach), "trainer": int(wish.trains), "simulator": wish.workers}
    told = ", ".join(f"{running.count(role)} {role}" for role in wanted if running.count(role)) or "none of the stack's"
    missing = [role for role, count in wanted.items() if running.count(role) < count]
    if not wish.training:
        return Line("containers", "ok", f"running: {told}" if running else "none of the stack's runs, and none should")
    if not missing:
        return Line("containers", "ok", f"running: {told}")
    ended = [row for _, row in rows if row.get("State") not in ("running", "created")]
    first = _first_ended(rows, missing)
    why = f"; {first.get('Names')}: {first.get('Status')}" if first is not None else ""
    remedy = (
        f"docker logs --tail 50 {first.get('Names')}"
        if first is not None and ended
        else "`fleet logs RUN`: the start may be under way."
    )
    return Line("containers", "not ok", f"running: {told}; missing: {', '.join(missing)}{why}", remedy)


def _first_ended(rows: Sequence[tuple[str, Mapping[str, Any]]], missing: Sequence[str]) -> Mapping[str, Any] | None:
    """Coach, if there never was a trainer; else the one that ended longest ago: the others followed it."""
    ended = [(role, row) for role, row in rows if str(row.get("Status", "")).startswith(("Exited", "Dead"))]
    if "trainer" in missing and not any(role == "trainer" for role, _ in rows):
        coach = next((row for role, row in rows if role == "coach"), None)
        if coach is not None:
            return coach
    return max((row for _, row in ended), key=lambda row: _ago(str(row.get("Status", ""))), default=None)


def _ago(status: str) -> float:
    """Seconds of ``Exited (1) 3 minutes ago``."""
    units = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000}
    found = re.search(r"(\d+|an?|[Aa]bout an?) (second|minute|hour|day|week|month)", status)
    return (float(found[1]) if found[1].isdigit() else 1.0) * units[found[2]] if found else 0.0


def gpu_use(seen: Probed, wish: Wish) -> Line:
    """Training really uses it."""
    if not wish.gpu and not (wish.gpu is None and gpus(seen)):
        return (
            Line("gpu in use", "ok", "the training uses no GPU")
            if wish.gpu is False
            else no_gpu("gpu in use", wish, "no GPU")
        )
    if not wish.training:
        return Line("gpu in use", "cannot tell", "nothing trains here now", "")
    answer = seen.answer("gpu-use")
    if not answer.good:
        return Line("gpu in use", "cannot tell", answer.last, "")
    names = [line.split(",")[0].strip() for line in answer.out.splitlines() if line.strip()]
    if any("python" in name for name in names):
        return Line("gpu in use", "ok", ", ".join(sorted(set(names))))
    told = f"no python process is on the GPU{': ' + ', '.join(names) if names else ''}"
    return Line("gpu in use", "not ok", told, "The image's tag must be the gpu one: `fleet deepracer check`.")


def sync_files(seen: Probed, wish: Wish) -> Line:
    """No leftovers of a dead trainer where a living one works."""
    model = _model(seen)
    if not model:
        return Line(
            "sync files", "cannot tell", "no model is to be seen here yet" if seen.stack is not None else unseen(wish), ""
        )
    prefix = next(iter(model)).rpartition("/model/")[0]
    lock = next((age for name, age in model.items() if name.endswith("/model/.lock")), None)
    wrong = []
    if any(name.endswith("/model/.finished") for name in model):
        wrong.append(".finished is there: the simulator takes the trainer for ended")
    if lock is not None and lock > STALE_LOCK:
        wrong.append(f".lock is {lock / 60:.0f} minutes old")
    if not wrong:
        return Line(
            "sync files",
            "ok",
            f"{prefix}: no .finished" + (f", .lock {lock:.0f} s old" if lock is not None else ", no .lock"),
        )
    if not wish.training:
        return Line("sync files", "ok", f"{prefix}: {'; '.join(wrong)}; the next start repairs it first")
    return Line(
        "sync files",
        "not ok",
        f"{prefix}: {'; '.join(wrong)}",
        "The trainer is dead or stuck: stop it, then `fleet deepracer repair`.",
    )


def _model(seen: Probed) -> dict[str, float]:
    """Names and ages below ``model/`` of the prefix that was written to last."""
    found = [(name, age) for name, _, age in seen.stack or () if "/model/" in name and "-from/model/" not in name]
    if not found:
        return {}
    newest = min(found, key=lambda one: one[1])[0].rpartition("/model/")[0]
    return {name: age for name, age in found if name.startswith(f"{newest}/model/")}


def progress(seen: Probed, wish: Wish) -> Line:
    """A set was made within the hour."""
    if not wish.trains:
        return Line("progress", "ok", "an evaluation makes no sets: `fleet deepracer evaluations` shows its laps")
    if not wish.training:
        return Line("progress", "cannot tell", "nothing trains here now", "")
    found = [(age, name) for name, age in _model(seen).items() if name.endswith(".ckpt.index")]
    found += [(age, name) for name, _, age in seen.kept or () if name.endswith(".ckpt.index")]
    if not found and seen.stack is None and seen.kept is None:
        return Line("progress", "cannot tell", unseen(wish), "")
    age, name = min(found, default=(wish.training_seconds, ""))
    stem = name.rpartition("/")[2].removesuffix(".index")
    told = f"{stem} is {age / 60:.0f} minutes old" if name else f"no set was made in {age / 60:.0f} minutes"
    if age <= HOUR:
        return Line("progress", "ok", told)
    return Line(
        "progress",
        "not ok",
        told,
        "`fleet logs RUN`; a restart of the stack goes on from that set: `fleet stop`, `fleet resume`.",
    )


def pace(seen: Probed, _: Wish) -> Line:
    """Simulated seconds per second."""
    answer = seen.answer("pace")
    found = re.findall(r"(?:Factor\[|real_time_factor:\s*)([\d.]+)", answer.out)
    if not found:
        told = "no simulator runs" if answer.why == "not asked" else f"the simulator does not tell: {answer.last}"
        return Line("real-time factor", "cannot tell", told, "")
    factor = float(found[-1].rstrip("."))
    if factor >= SLOW:
        return Line("real-time factor", "ok", f"{factor:.2f}")
    return Line(
        "real-time factor", "not ok", f"{factor:.2f}; about 0.9 is usual", "Fewer workers, or a machine with more cores."
    )


def actions(seen: Probed, wish: Wish) -> Line:
    """As many as the model that training goes on from has."""
    if seen.actions is None or seen.source_actions is None:
        told = "the actions are continuous, or there is no model to go on from" if seen.model is not None else unseen(wish)
        return Line("actions", "cannot tell", told, "")
    if seen.actions == seen.source_actions:
        return Line("actions", "ok", f"{seen.actions}, as in the newest checkpoint")
    told = f"{seen.actions}, and {seen.source_actions} in the newest checkpoint: it cannot be resumed from"
    return Line("actions", "not ok", told, "Give model_metadata.json as many actions as before, or begin a new run.")


def _rows(out: str) -> Iterable[Mapping[str, Any]]:
    rows = (json_of(line) for line in out.splitlines())
    return [row for row in rows if row is not None]
