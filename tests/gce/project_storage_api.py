"""Cloud Storage's JSON interface, as far as set-up and teardown speak it: buckets, their policies, and what lies in them."""

from __future__ import annotations

import copy
from typing import Any

from tests.gce.buckets import Bucket
from tests.gce.clock import rfc3339
from tests.gce.jsonapi import Call, Cloud, Handler, JsonApi
from tests.gce.objects_api import buckets
from tests.gce.project_ground import Ground, ground
from tests.gce.project_rights import may
from tests.gce.wire import Json, Refused

WEEK = 604_800
PAGE = 1000


def handlers(cloud: Cloud) -> dict[str, Handler]:
    """What answers below ``/storage``."""
    return {"storage": Storage(cloud)}


class Storage(JsonApi):
    """Buckets and objects. Names are the whole world's."""

    name = "storage"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.shown: dict[str, Json] = {}
        self.strangers: set[str] = set()
        """Names that somebody else has."""
        self.methods = {
            "buckets.get": lambda call: self._find(call),
            "buckets.insert": self._insert,
            "buckets.patch": self._patch,
            "buckets.delete": self._delete,
            "buckets.getIamPolicy": self._policy,
            "buckets.setIamPolicy": self._set_policy,
            "objects.list": self._list,
            "objects.delete": self._delete_object,
        }
        self.verbs = {
            "stranger": lambda told: self.strangers.add(told["bucket"]),
            "bucket": lambda told: self.shown.get(told["bucket"]),
            "put": self._put,
        }

    @property
    def ground(self) -> Ground:
        return ground(self.cloud)

    def _put(self, told: Json) -> None:
        buckets(self.cloud)[told["bucket"]].write(told["key"], told["text"].encode(), self.cloud.clock(), "text/plain")

    def _find(self, call: Call) -> Json:
        name = call.params["bucket"]
        if name in self.strangers:
            told = f"{call.asked.principal} does not have storage.buckets.get access to the Google Cloud Storage bucket."
            raise Refused(
                403, "forbidden", f"{told} Permission 'storage.buckets.get' denied on resource (or it may not exist)."
            )
        if name not in self.shown:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        return self.shown[name]

    def _insert(self, call: Call) -> Json:
        name, body = call.body["name"], copy.deepcopy(call.body)
        if name in self.strangers or name in self.shown:
            mine = name in self.shown
            told = "Your previous request to create the named bucket succeeded and you already own it."
            other = "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
            raise Refused(409, "conflict", told if mine else other)
        if not self.ground.billing:
            raise Refused(403, "accountDisabled", "The billing account for the owning project is disabled in state absent")
        usual: Json = {"iamConfiguration": {"publicAccessPrevention": "inherited"}, "softDeletePolicy": {}}
        now = rfc3339(self.cloud.clock())
        made = {"kind": "storage#bucket", "id": name, "projectNumber": self.cloud.number, "timeCreated": now, "updated": now}
        self.shown[name] = {**usual, **body, **made, "metageneration": "1", "locationType": "region"}
        self.shown[name].setdefault("softDeletePolicy", {}).setdefault("retentionDurationSeconds", str(WEEK))
        bucket = buckets(self.cloud).setdefault(name, Bucket(name))
        bucket.allowed = lambda who, permission, resource: self._allowed(name, who, permission, resource)
        return self.shown[name]

    def _allowed(self, bucket: str, who: str, permission: str, resource: str) -> bool:
        """Everybody who is no machine has the project; a machine has what the bucket's policy says."""
        if who not in self.ground.accounts:
            return True
        return may(self.ground.policies.get(f"bucket {bucket}"), f"serviceAccount:{who}", permission, resource)

    def _patch(self, call: Call) -> Json:
        found = self._find(call)
        _merge(found, call.body)
        found["metageneration"] = str(int(found["metageneration"]) + 1)
        return found

    def _delete(self, call: Call) -> None:
        found = self._find(call)
        if buckets(self.cloud)[found["name"]].objects:
            raise Refused(409, "conflict", "The bucket you tried to delete is not empty.")
        del self.shown[found["name"]]
        del buckets(self.cloud)[found["name"]]
        self.ground.policies.found.pop(f"bucket {found['name']}", None)

    def _policy(self, call: Call) -> Json:
        found = self.ground.policies.get(f"bucket {self._find(call)['name']}")
        if call.int("optionsRequestedPolicyVersion", 1) < 3 and any(one.get("condition") for one in found["bindings"]):
            raise Refused(412, "conditionNotMet", "The requested policy version is too low for a policy with conditions.")
        return {"kind": "storage#policy", **found}

    def _set_policy(self, call: Call) -> Json:
        name = self._find(call)["name"]
        uniform = self.shown[name]["iamConfiguration"].get("uniformBucketLevelAccess", {}).get("enabled")
        if not uniform and any(one.get("condition") for one in call.body.get("bindings", ())):
            raise Refused(400, "invalid", "Conditions require uniform bucket-level access.")
        stale = Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        return {"kind": "storage#policy", **self.ground.policies.set(f"bucket {name}", call.body, stale)}

    def _list(self, call: Call) -> Json:
        bucket = buckets(self.cloud)[self._find(call)["name"]]
        found = list(bucket.listed(call.params.get("prefix", ""), call.params.get("pageToken", "")))
        page, answer = found[:PAGE], dict[str, Any](kind="storage#objects")
        if page:
            answer["items"] = [{"name": key, "size": str(len(stored.data))} for key, stored in page]
        return {**answer, **({"nextPageToken": page[-1][0]} if len(found) > PAGE else {})}

    def _delete_object(self, call: Call) -> None:
        objects = buckets(self.cloud)[self._find(call)["name"]].objects
        if call.params["object"] not in objects:
            raise Refused(404, "notFound", f"No such object: {call.params['bucket']}/{call.params['object']}")
        del objects[call.params["object"]]


def _merge(found: Json, changes: Json) -> None:
    """As PATCH does: objects are merged, lists replaced, null removes."""
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict) and isinstance(found.get(name), dict):
            _merge(found[name], value)
        else:
            found[name] = copy.deepcopy(value)
