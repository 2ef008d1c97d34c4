"""The bucket is counted by S3's own listing, also in parts: the next begins where the last one ended."""

from __future__ import annotations

import boto3

from fleet.control.measuring import StorageMeter
from fleet.core.storage import FIRST_AFTER
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.store.opening import open_objects
from tests.aws.ground import make_setup
from tests.aws.moto import Moto
from tests.unit.core.ledger.stories import created, folded


def test_a_bucket_is_counted_once_whatever_parts_it_is_counted_in(moto: Moto) -> None:
    boto3.client("s3").create_bucket(Bucket="counted")
    objects, setup = open_objects("s3://counted/fleet"), make_setup("f")
    boto3.client("s3").put_object(Bucket="counted", Key="another/thing", Body=b"not the fleet's")
    objects.put(layout.AWS_SETUP, document_bytes(setup))
    for number in range(1100):
        objects.put(f"runs/{number:05d}", b"12345678")
    hurried = iter(float(second) for second in range(0, 10_000, 100))  # every page takes longer than a round may
    meter, state = StorageMeter(objects, clock=lambda: next(hurried)), folded([created()])
    assert meter.look(state, FIRST_AFTER) is None
    found = meter.look(state, FIRST_AFTER + 10) or meter.look(state, FIRST_AFTER + 20)
    assert found is not None
    assert (found.objects, found.provider, found.region) == (1101, "aws", setup.bucket_region)
    assert found.bytes == 1100 * 8 + len(document_bytes(setup))
