#!/bin/sh
# Plays coach: reads the hyperparameters, then starts the trainer as the SageMaker SDK does: by a compose file of its own.
. /fake/bucket.sh
bucket=$MODEL_S3_BUCKET
trap 'exit 143' TERM
echo "Model checkpoints and other metadata will be stored at: s3://$bucket/$MODEL_S3_PREFIX"
echo "Uploading to s3://$bucket/$MODEL_S3_PREFIX"
echo "Using image $SAGEMAKER_IMAGE"
hyperparameters=$(get "$HYPERPARAMETER_FILE_S3_KEY")
if [ -z "$hyperparameters" ]; then
    echo "botocore.exceptions.ClientError: An error occurred (404) when calling the HeadObject operation: Not Found"
    exit 1
fi
root=$(said "$(cat /root/.sagemaker/config.yaml)" container_root)
folder=$root/tmp$(head -c 6 /dev/urandom | od -An -tx1 | tr -d ' \n')
service=algo-1-$(head -c 3 /dev/urandom | od -An -tx1 | tr -d ' \n')
mkdir -p "$folder/config"
printf '%s' "$hyperparameters" >"$folder/config/hyperparameters.json"
{
    echo "s3_bucket=$bucket"
    echo "s3_prefix=$MODEL_S3_PREFIX"
    echo "model_metadata_s3_key=s3://$bucket/$MODELMETADATA_FILE_S3_KEY"
    if [ "$PRETRAINED" = True ]; then
        echo "pretrained_s3_prefix=$PRETRAINED_S3_PREFIX"
        echo "pretrained_checkpoint=$PRETRAINED_CHECKPOINT"
    fi
} >"$folder/config/told"
case ${FAKE_DIE:-} in coach) exit 1 ;; esac
runtime=
if [ -n "${FAKE_RUNTIME:-}" ]; then
    runtime="runtime: $FAKE_RUNTIME"
fi
cat >"$folder/docker-compose.yaml" <<END
networks: {sagemaker-local: {name: sagemaker-local}}
services:
  $service:
    command: train
    image: $SAGEMAKER_IMAGE
    stdin_open: true
    tty: true
    networks: {sagemaker-local: {aliases: [$service]}}
    $runtime
    environment:
      - RUN_ID=$RUN_ID
      - AWS_REGION=$AWS_REGION
      - TRAINING_JOB_NAME=$MODEL_S3_PREFIX
      - S3_ENDPOINT_URL=$S3_ENDPOINT_URL
      - AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
      - AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY
      - MAX_MEMORY_STEPS=$MAX_MEMORY_STEPS
    volumes: ["$folder/config:/opt/ml/input/config"]
END
cd "$folder" && docker-compose -f "$folder/docker-compose.yaml" up --abort-on-container-exit 2>&1 &
wait $!
