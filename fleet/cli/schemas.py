"""``fleet schema``: the JSON Schemas of what ``-o json`` prints, made from the types that it is printed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from fleet.cli import (
    deepracer_evaluate_objects,
    deepracer_export_objects,
    deepracer_version_objects,
    deepracer_weights_objects,
    money_objects,
    objects,
)
from fleet.control.names import nearest
from fleet.model.errors import FleetError
from fleet.report import objects as report_objects

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODULES = (
    objects,
    money_objects,
    deepracer_evaluate_objects,
    deepracer_export_objects,
    deepracer_version_objects,
    deepracer_weights_objects,
    report_objects,
)
"""Where the types stand."""


@dataclass(frozen=True, slots=True)
class Printed:
    """Something that commands print."""

    shape: Any
    commands: tuple[str, ...]
    lines: bool = False
    """JSON lines: one such object on each line, as they come."""


PRINTED: Mapping[str, Printed] = {
    "run": Printed(objects.RunObject, ("up", "resume", "stop", "down")),
    "runs": Printed(list[objects.RunObject], ("ps",)),
    "status": Printed(objects.StatusObject, ("status",)),
    "plan": Printed(objects.PlanObject, ("plan",)),
    "offers": Printed(objects.RankingObject, ("offers",)),
    "prices": Printed(objects.PricesObject, ("prices",)),
    "simulation": Printed(objects.SimulationObject, ("simulate",)),
    "history": Printed(list[objects.PoolHistoryObject], ("history show",)),
    "history-export": Printed(objects.HistoryExportObject, ("history export",)),
    "cost": Printed(money_objects.CostObject, ("cost",)),
    "budgets": Printed(list[money_objects.BudgetsObject], ("budget",)),
    "event": Printed(None, ("events", "controller run"), lines=True),
    "log-line": Printed(objects.LogLineObject, ("logs",), lines=True),
    "note": Printed(objects.NoteObject, ("note",)),
    "checkpoints": Printed(list[objects.CheckpointObject], ("checkpoints list",)),
    "checks": Printed(list[objects.CheckObject], ("checkpoints verify",)),
    "pulled": Printed(objects.PulledObject, ("checkpoints pull",)),
    "pruned": Printed(objects.PrunedObject, ("checkpoints prune",)),
    "volumes": Printed(list[objects.VolumeObject], ("volumes list",)),
    "deleted-volume": Printed(objects.DeletedVolumeObject, ("volumes delete",)),
    "unowned": Printed(list[objects.UnownedObject], ("gc",)),
    "controller": Printed(objects.ControllerObject, ("controller status", "controller install", "controller uninstall")),
    "controllers": Printed(list[objects.PresenceObject], ("controller list",)),
    "deployed": Printed(
        objects.DeployedObject,
        ("controller deploy ssh", "controller deploy cron", "controller remove ssh", "controller remove cron"),
    ),
    "repair": Printed(objects.RepairObject, ("journal repair",)),
    "deepracer-check": Printed(objects.DeepRacerCheckObject, ("deepracer check",)),
    "deepracer-repair": Printed(objects.DeepRacerRepairObject, ("deepracer repair",)),
    "deepracer-status": Printed(objects.DeepRacerStatusObject, ("deepracer status",)),
    "deepracer-doctor": Printed(objects.DeepRacerDoctorObject, ("deepracer doctor",)),
    "deepracer-weights": Printed(deepracer_weights_objects.DeepRacerWeightsObject, ("deepracer weights",)),
    "deepracer-export": Printed(deepracer_export_objects.DeepRacerExportObject, ("deepracer export",)),
    "deepracer-cleaned": Printed(objects.DeepRacerCleanedObject, ("deepracer clean",)),
    "deepracer-clone": Printed(deepracer_version_objects.DeepRacerCloneObject, ("deepracer clone",)),
    "deepracer-tree": Printed(list[deepracer_version_objects.DeepRacerVersionObject], ("deepracer tree",)),
    "deepracer-diff": Printed(deepracer_version_objects.DeepRacerDiffObject, ("deepracer diff",)),
    "deepracer-note": Printed(deepracer_version_objects.DeepRacerNoteObject, ("deepracer note",)),
    "deepracer-evaluation": Printed(deepracer_evaluate_objects.DeepRacerEvaluationObject, ("deepracer evaluate",)),
    "deepracer-evaluations": Printed(list[deepracer_evaluate_objects.DeepRacerEvaluationObject], ("deepracer evaluations",)),
    "init": Printed(objects.InitObject, ("init",)),
    "aws-setup": Printed(objects.AwsSetupObject, ("init",)),
    "aws-destroyed": Printed(objects.AwsDestroyedObject, ("destroy aws", "controller remove aws")),
    "aws-controller": Printed(objects.AwsControllerObject, ("controller deploy aws",)),
    "gcp-setup": Printed(objects.GcpSetupObject, ("init",)),
    "gcp-destroyed": Printed(objects.GcpDestroyedObject, ("destroy gcp",)),
    "images": Printed(list[objects.ImageObject], ("ami list",)),
    "built-image": Printed(objects.BuiltImageObject, ("ami build",)),
    "shared-image": Printed(objects.SharedImageObject, ("ami share",)),
    "pruned-images": Printed(list[objects.PrunedImageObject], ("ami prune",)),
    "notifications": Printed(list[money_objects.NotificationsObject], ("notify on", "notify off", "notify list")),
    "notify-test": Printed(list[money_objects.NotifyTestObject], ("notify test",)),
    "policy": Printed(objects.PolicyObject, ("policy aws", "policy gcp")),
    "findings": Printed(list[objects.FindingObject], ("doctor",)),
    "demo": Printed(objects.DemoObject, ("demo",)),
    "ticks": Printed(objects.TicksObject, ("simulate",), lines=True),
    "night": Printed(list[report_objects.NightObject], ("report",)),
    "report-sent": Printed(list[money_objects.ReportSentObject], ("report",)),
    "report-installed": Printed(money_objects.ReportInstalledObject, ("report install", "report uninstall")),
    "report-status": Printed(money_objects.ReportStatusObject, ("report status",)),
    "report-test": Printed(money_objects.ReportTestObject, ("report test",)),
    "error": Printed(objects.ErrorObject, ()),
}
"""By the schema's name. ``error`` may come from any command instead of its own."""

NO_JSON: Mapping[str, str] = {
    "exec": "standard output belongs to the command that it runs",
    "ssh": "standard output belongs to the shell",
    "forward": "it carries connections, and prints nothing but where",
    "job schema": "it prints a JSON Schema as it is",
    "schema": "it prints a JSON Schema as it is",
    "completion": "it prints a script for a shell",
}
"""Commands without ``-o json``, and why."""


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of what is printed under a name. Raises FleetError if nothing is."""
    printed = PRINTED.get(name)
    if printed is None:
        told = nearest(name, PRINTED)
        raise FleetError(f"nothing is printed under the name {name!r}; {told}", "`fleet schema` lists the names.")
    schema = _events() if printed.shape is None else _generated(printed.shape)
    return {"$schema": DIALECT, **schema, "title": f"fleet {name}"}


def _generated(shape: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    schema = TypeAdapter(_documented(shape)).json_schema()
    for model in [schema, *schema.get("$defs", {}).values()]:
        for field in model.get("properties", {}).values():
            field.pop("title", None)
            if "description" in field:
                field["description"] = " ".join(field["description"].split())
    _inherit(schema)
    return schema


def _documented(shape: Any) -> Any:
    """The shape, its types told to take their fields' docstrings for descriptions."""
    from pydantic import ConfigDict

    for one in [one for module in MODULES for one in vars(module).values()]:
        if isinstance(one, type) and hasattr(one, "__total__"):
            one.__pydantic_config__ = ConfigDict(use_attribute_docstrings=True)  # type: ignore[attr-defined]
    return shape


def _inherit(schema: dict[str, Any]) -> None:
    """A description stands where the field was declared: hand it on to what extends that type."""
    models = {model.get("title"): model for model in [schema, *schema.get("$defs", {}).values()]}
    for title, model in models.items():
        known = getattr(objects, title or "", getattr(money_objects, title or "", None))
        for base in getattr(known, "__orig_bases__", ()):
            if not hasattr(base, "__total__"):
                continue
            parent = _generated(base)
            for name, field in parent.get("properties", {}).items():
                if "description" in field:
                    model["properties"][name].setdefault("description", field["description"])


def _events() -> dict[str, Any]:
    """An event as the journal holds it, with its entry's number."""
    from pydantic import TypeAdapter

    from fleet.model.events import AnyEvent

    schema: dict[str, Any] = TypeAdapter(AnyEvent).json_schema(mode="serialization")
    number = {"type": "integer", "description": "The number of its journal entry."}
    for reference in schema["oneOf"]:
        model = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        model["properties"] = {"entry": number, **model["properties"]}
        model["required"] = ["entry", *model.get("required", ())]
    return schema


def event_types() -> list[Any]:
    """The models of all events, for the documentation."""
    from fleet.model.events import Event

    return list(get_args(Event))


def show(name: str | None) -> int:
    """Print one, or the names of all."""
    import json

    if name is not None:
        print(json.dumps(schema_of(name), indent=2))
        return 0
    width = max(map(len, PRINTED))
    for known, printed in PRINTED.items():
        where = ", ".join(f"fleet {command}" for command in printed.commands) or "any command that fails"
        print(f"{known:<{width}}  {where}{' (a line each)' if printed.lines else ''}")
    return 0
