"""``fleet job schema``."""

from __future__ import annotations

import json
from typing import Any

from fleet.model.job import Job
from fleet.model.jobfile import DURATIONS, MONEY, SIZES
from fleet.workloads.kinds import KINDS

_DURATION = ("a duration: 90s, 15m, 4h, 7d", r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$")
_WRITTEN = {
    **dict.fromkeys(DURATIONS, _DURATION),
    **dict.fromkeys(SIZES, ("a size: 500GB, 2TB", r"^\d+(\.\d+)?\s*([MGT]i?B|[mgt]i?b)$")),
    **dict.fromkeys(MONEY, ("money: $15, $0.30", r"^\$?[\d,]+(\.\d+)?( ?USD)?$")),
}


def job_schema() -> dict[str, Any]:
    """The schema of what people write: quantities with their units."""
    schema = Job.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fleet.yaml"
    models = {"": schema, **{name: schema["$defs"][model] for name, model in _SECTIONS.items()}}
    for name, (description, pattern) in _WRITTEN.items():
        section, _, field = name.rpartition(".")
        models[section]["properties"][field] = {"type": "string", "description": description, "pattern": pattern}
    told = "a duration from the run's creation, or a time: 12h, 2026-11-27 08:00"
    schema["properties"]["deadline"] = {"type": "string", "description": told}
    schema["properties"]["envs"]["additionalProperties"] = {"type": ["string", "number", "boolean"]}
    alternative = schema["$defs"]["Alternative"]["properties"]
    alternative["max_price"] = schema["$defs"]["Resources"]["properties"]["max_price"]
    for model in (schema["$defs"]["Resources"]["properties"], alternative):
        model["instance_type"] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    schema["properties"]["workload"] = _workload(schema["$defs"])
    return schema


def _workload(shared: dict[str, Any]) -> dict[str, Any]:
    """What may stand under ``workload``, by its kind; the parts that it refers to go among the shared ones."""
    for kind, model in KINDS.items():
        found = model.model_json_schema()
        shared |= found.pop("$defs", {})
        found["required"] = ["kind"]
        found["properties"]["kind"] = {"const": kind}
        shared[model.__name__] = found
    description, pattern = _DURATION
    until = shared["Until"]["properties"]
    until["duration"] = {"type": "string", "description": description, "pattern": pattern}
    stack = shared["DeepRacer"]["properties"]["stack"]
    del stack["type"]
    stack["enum"].append(2019)  # unquoted, YAML takes it for a number
    return {"oneOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in KINDS.values()]}


_SECTIONS = {
    "resources": "Resources",
    "volume": "VolumeSpec",
    "checkpoint": "CheckpointSpec",
    "budget": "Budget",
    "retries": "Retries",
}


def schema() -> int:
    """Print it."""
    print(json.dumps(job_schema(), indent=2))
    return 0
