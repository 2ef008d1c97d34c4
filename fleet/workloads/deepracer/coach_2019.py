"""What 2019's coach runs: its own script names the prefix, the image and the hyperparameters itself, this one is told."""

SCRIPT = """\
import io
import json
import os

import boto3
import sagemaker
from sagemaker.rl import RLEstimator, RLFramework, RLToolkit

told = os.environ
bucket, prefix = told["MODEL_S3_BUCKET"], told["MODEL_S3_PREFIX"]
session = boto3.session.Session(region_name=told["AWS_REGION"])
s3 = session.resource("s3", endpoint_url=told.get("S3_ENDPOINT_URL"))
read = io.BytesIO()
s3.Bucket(bucket).download_fileobj(told["HYPERPARAMETER_FILE_S3_KEY"], read)
parameters = {
    **json.loads(read.getvalue().decode()),
    "s3_bucket": bucket,
    "s3_prefix": prefix,
    "aws_region": told["AWS_REGION"],
    "model_metadata_s3_key": "s3://%s/%s" % (bucket, told["MODELMETADATA_FILE_S3_KEY"]),
    "RLCOACH_PRESET": "deepracer",
}
if told["PRETRAINED"] == "True":
    parameters["pretrained_s3_bucket"] = told["PRETRAINED_S3_BUCKET"]
    parameters["pretrained_s3_prefix"] = told["PRETRAINED_S3_PREFIX"]
print("Model checkpoints and other metadata will be stored at: s3://%s/%s" % (bucket, prefix), flush=True)
RLEstimator(
    entry_point="training_worker.py",
    source_dir="src",
    dependencies=["common/sagemaker_rl"],
    toolkit=RLToolkit.COACH,
    toolkit_version="0.11",
    framework=RLFramework.TENSORFLOW,
    sagemaker_session=sagemaker.local.LocalSession(boto_session=session, s3_client=s3),
    role="none/",
    train_instance_type=told["SAGEMAKER_DEVICE"],
    train_instance_count=1,
    output_path="s3://%s/" % bucket,
    base_job_name="fleet",
    image_name=told["SAGEMAKER_IMAGE"],
    train_max_run=7 * 24 * 3600,
    hyperparameters=parameters,
    s3_client=s3,
).fit(job_name=prefix, wait=True)
"""
