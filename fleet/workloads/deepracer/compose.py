"""The compose file of a stack, for every variant; valid for compose v1 (1.29) and v2.

What coach starts lies outside it: the SageMaker SDK writes a compose file of its own below ``Place.sagemaker`` and starts
the trainer from there (``containers.py`` finds and removes it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleet.workloads.deepracer import params
from fleet.workloads.deepracer.coach_2019 import SCRIPT
from fleet.workloads.deepracer.evaluating.params import START as START_EVALUATION
from fleet.workloads.deepracer.evaluating.params import START_2019 as START_EVALUATION_2019
from fleet.workloads.deepracer.images import Role, image
from fleet.workloads.deepracer.place import NETWORK, S3_PORT, Place, s3_host, simulators
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.stack import LOGGING

FILE = "stack.yaml"
"""Below ``Place.own``."""
ROLE_LABEL = "fleet.role"
CONFIG, COACH, VARIABLES = "config.yaml", "coach.py", "env_vars.json"
"""Files of the SageMaker SDK, below ``Place.own``."""
DOCKER_SOCKET = "/var/run/docker.sock"
START_COACH = "source /root/sagemaker-venv/bin/activate && python3 /opt/ml/code/rl_coach/start.py"
START_SIMULATOR = "/opt/ml/code/run.sh run distributed_training.launch.py"
START_COACH_2019 = "cd /deepracer/rl_coach && python /fleet/coach.py"
START_SIMULATOR_2019 = "./run.sh build distributed_training.launch"
VIDEO, VNC = 8080, 5900
GPUS = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
Service = dict[str, Any]


def compose_file(spec: DeepRacer, place: Place) -> dict[str, Any]:
    """The file, to be dumped as YAML. Nothing restarts by itself: what an end means, the driver decides."""
    made: dict[str, Service] = {}
    if spec.storage == "instance":
        made["s3"] = _s3(spec, place)
    if spec.evaluate is not None:
        pass  # a model drives; nobody trains
    elif spec.launcher == "coach":
        made["coach"] = _coach(spec, place)
    else:
        made["trainer"] = _trainer(spec, place)
    drives = spec.evaluate is None or place.laps is not None  # before its first track there is the look-alike alone
    for worker, name in enumerate(simulators(spec) if drives else (), 1):
        made[name] = _simulator(spec, place, worker)
    before: list[str] = []
    for name, service in made.items():
        if before:
            service["depends_on"] = list(before)
        if name in ("s3", "coach", "trainer"):
            before.append(name)
    network = {"networks": {"default": {"name": NETWORK, "external": True}}}
    file = {"services": made, **({} if place.host_network else network)}
    escaped: dict[str, Any] = _escaped(file)
    return escaped


def own_files(spec: DeepRacer, place: Place) -> dict[str, str]:
    """What must lie below ``Place.own`` before coach starts, beside an empty folder ``Place.sagemaker``."""
    if spec.launcher != "coach" or spec.evaluate is not None:
        return {}
    files = {CONFIG: json.dumps({"local": {"container_root": str(place.sagemaker)}}) + "\n"}
    if spec.stack == "2019":
        said = {"NODE_TYPE": "SAGEMAKER_TRAINING_WORKER"}
        if place.s3.endpoint is not None:
            said["S3_ENDPOINT_URL"] = place.s3.endpoint
        files |= {COACH: SCRIPT, VARIABLES: json.dumps(said) + "\n"}
    return files


def image_of(spec: DeepRacer, place: Place, role: Role) -> str:
    """By the digest that the run's first attempt found, else by name."""
    return place.images.get(role) or image(spec, role, place.device)


def _s3(spec: DeepRacer, place: Place) -> Service:
    keys = {"ROOT_USER": place.s3.key or "", "ROOT_PASSWORD": place.s3.secret or ""}
    older = {"ACCESS_KEY": keys["ROOT_USER"], "SECRET_KEY": keys["ROOT_PASSWORD"]}
    names = keys if spec.stack == "today" else {**keys, **older}
    service = _service(spec, place, "s3", {f"MINIO_{name}": value for name, value in names.items()})
    service["command"] = ["server", "/data"]
    service["volumes"] = [_mount(str(place.volume / "s3"), "/data")]
    service["ports"] = [f"127.0.0.1::{S3_PORT}"]
    service["networks"] = {"default": {"aliases": [s3_host(place.project)]}}
    service["stop_grace_period"] = "20s"
    if place.user is not None:
        service["user"] = place.user
    return service


def _coach(spec: DeepRacer, place: Place) -> Service:
    service = _service(spec, place, "coach", params.coach_environment(spec, place, image_of(spec, place, "trainer")))
    service["volumes"] = [
        _mount(DOCKER_SOCKET, DOCKER_SOCKET),
        _mount(str(place.sagemaker), str(place.sagemaker)),  # the same path: the SDK names it to the engine
        _mount(str(place.own / CONFIG), "/root/.sagemaker/config.yaml", read_only=True),
    ]
    if spec.stack == "today":
        return {**service, "command": [START_COACH], "working_dir": "/opt/ml/code/"}
    service["environment"]["LOCAL_ENV_VAR_JSON_PATH"] = f"/fleet/{VARIABLES}"
    service["volumes"] += [_mount(str(place.own / name), f"/fleet/{name}", read_only=True) for name in (COACH, VARIABLES)]
    return {**service, "command": ["sh", "-c", START_COACH_2019]}


def _trainer(spec: DeepRacer, place: Place) -> Service:
    service = _service(spec, place, "trainer", params.trainer_environment(spec, place))
    return _with_gpu({**service, "command": [params.trainer_command(place)], "working_dir": "/opt/ml/code/"}, place)


def _simulator(spec: DeepRacer, place: Place, worker: int) -> Service:
    service = _service(spec, place, "simulator", params.simulator_environment(spec, place, worker))
    service["command"] = [_start(spec)]
    if not place.host_network:
        service["ports"] = [f"127.0.0.1::{port}" for port in (VIDEO, VNC)]
    return _with_gpu(service, place) if spec.stack == "today" else service


def _start(spec: DeepRacer) -> str:
    """The simulator's command."""
    if spec.evaluate is not None:
        return START_EVALUATION if spec.stack == "today" else START_EVALUATION_2019
    return START_SIMULATOR if spec.stack == "today" else START_SIMULATOR_2019


def _service(spec: DeepRacer, place: Place, role: Role, environment: Mapping[str, str]) -> Service:
    """What all have in common."""
    service: Service = {
        "image": image_of(spec, place, role),
        "environment": dict(environment),
        "labels": {**place.labels, ROLE_LABEL: role},
        "logging": LOGGING,
        "restart": "no",
        "init": True,
        "stop_grace_period": "10s",
    }
    if spec.storage == "bucket" and place.s3.key is not None:
        # Compose takes them from its own environment: no secret is written down.
        service["environment"] |= {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    if place.host_network:
        service["network_mode"] = "host"
    return service


def _with_gpu(service: Service, place: Place) -> Service:
    if place.device != "gpu":
        return service
    if place.gpu_by == "runtime":
        environment = {**service["environment"], "NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "all"}
        return {**service, "runtime": "nvidia", "environment": environment}
    return {**service, "deploy": {"resources": {"reservations": {"devices": GPUS}}}}


def _mount(source: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    """In the long form: the source must exist, and may have a colon in its name."""
    return {"type": "bind", "source": source, "target": target, "read_only": read_only}


def _escaped(value: Any) -> Any:
    """Compose puts variables in for dollars."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value
