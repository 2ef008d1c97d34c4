#!/bin/sh
# Plays the trainer: the files in their order, the lines as they read, and episodes taken from whoever dials in.
#
# FAKE_ITERATION: seconds that training takes. FAKE_DIE: where it ends without a word (before-ip, after-ip, at:N while N is
# written, fault:CODE). FAKE_NAN: at that N, as long as the learning rate is above FAKE_NAN_RATE. FAKE_NEVER: ready.
# FAKE_NO_KERNEL: what an image says that was built for another GPU.
. /fake/bucket.sh
while [ $# -gt 1 ]; do
    case $1 in --*) eval "${1#--}=\$2" ;; esac
    shift 2
done
config=/opt/ml/input/config
if [ -e $config/told ]; then
    . $config/told
    hyperparameters=$(cat $config/hyperparameters.json)
else
    hyperparameters=$SM_TRAINING_ENV
fi
bucket=$s3_bucket
today=1
[ "${FAKE_FORMAT:-today}" = today ] || today=
rate=$(said "$hyperparameters" lr)
leaving=
trap 'leaving=1' TERM

die() {
    case ${FAKE_DIE:-} in "$1") exit 1 ;; esac
}

finish() {
    put "$s3_prefix/model/.finished" ""
    exit "${1:-0}"
}

# save N Y: a set, in the trainer's order.
save() {
    stem=$1_Step-$2.ckpt
    echo "Checkpoint> Saving in path=['./checkpoint_sagemaker/agent/$stem']"
    while [ -z "$today" ] && there "$s3_prefix/model/.lock"; do
        echo "Found a lock file $s3_prefix/model/.lock , waiting"
        sleep 1
    done
    put "$s3_prefix/model/.lock" ""
    echo "[s3] Successfully uploaded .lock to                      s3 bucket $bucket with s3 key $s3_prefix/model/.lock."
    rm -rf /tmp/set && mkdir /tmp/set
    for suffix in index meta data-00000-of-00001; do
        { echo "$stem.$suffix" && head -c "${FAKE_SIZE:-2000}" /dev/urandom; } >"/tmp/set/$stem.$suffix"
    done
    if [ "${FAKE_DIE:-}" = "at:$1" ]; then
        rclone copyto "/tmp/set/$stem.index" "s3:$bucket/$s3_prefix/model/$stem.index"
        exit 1
    fi
    rclone copy /tmp/set "s3:$bucket/$s3_prefix/model"
    echo "Uploaded 3 files for checkpoint $1"
    if [ -n "$today" ]; then
        put "$s3_prefix/model/.coach_checkpoint" "$stem"
        echo "[s3] Successfully uploaded coach checkpoint to                   s3 bucket $bucket with s3 key $s3_prefix/model/.coach_checkpoint."
        put "$s3_prefix/model/model_$1.pb" "graph of $stem"
    else
        put "$s3_prefix/model/checkpoint" "model_checkpoint_path: \"$stem\"
all_model_checkpoint_paths: \"$stem\"
"
    fi
    if [ -n "$today" ]; then forget "$1"; fi
    drop "$s3_prefix/model/.lock"
    if [ -z "$today" ]; then
        put "$s3_prefix/model/model_$1.pb" "graph of $stem"
        forget "$1"
    fi
    echo "saved intermediate frozen graph: $s3_prefix/model/model_$1.pb"
}

# Sets older than the newest four go.
forget() {
    old=$(($1 - 4))
    if [ $old -ge "$first" ]; then
        rclone delete "s3:$bucket/$s3_prefix/model" --include "${old}_Step-*"
        if [ -n "$today" ]; then drop "$s3_prefix/model/model_$old.pb"; fi
    fi
}

spoilt() {
    [ "${FAKE_NAN:-}" = "$1" ] && awk "BEGIN { exit !($rate > ${FAKE_NAN_RATE:-0}) }"
}

echo "Starting sage-train.sh"
if [ -n "${FAKE_NO_KERNEL:-}" ]; then
    echo "Check failed: err == cudaSuccess: no kernel image is available for execution on the device"
    exit 1
fi
echo "Training Worker Args: Namespace(aws_region='$AWS_REGION', checkpoint_dir='./checkpoint_sagemaker', s3_bucket='$bucket')"
if [ -z "$(get "${model_metadata_s3_key#s3://"$bucket"/}")" ]; then
    failed "Failed to download model_metadata file: s3_bucket: $bucket" 48
fi
rclone copyto "s3:$bucket/${model_metadata_s3_key#s3://"$bucket"/}" "s3:$bucket/$s3_prefix/model/model_metadata.json"
echo "Using the following hyper-parameters"
printf '%s\n' "$hyperparameters"
put "$s3_prefix/ip/hyperparameters.json" "$hyperparameters"
die before-ip
case ${FAKE_DIE:-} in fault:*) failed "as it was told" "${FAKE_DIE#fault:}" ;; esac
mkdir -p /tmp/redis
nc -ll -p 6379 -e /fake/take.sh &
put "$s3_prefix/ip/ip.json" "{\"IP\": \"$(hostname -i | cut -d ' ' -f 1)\"}"
echo "[s3] Successfully uploaded ip address to                  s3 bucket $bucket with s3 key $s3_prefix/ip/ip.json."
put "$s3_prefix/ip/done" "done"
echo "[s3] Successfully uploaded ip done to                  s3 bucket $bucket with s3 key $s3_prefix/ip/done."
die after-ip
n=0
if [ -n "${pretrained_s3_prefix:-}" ]; then
    from=$(pointer "$pretrained_s3_prefix")
    if [ -n "$today" ]; then
        listed=$(get "$pretrained_s3_prefix/model/deepracer_checkpoints.json" | tr -d '\n')
        named=$(printf '%s' "$listed" | sed -n "s/.*\"${pretrained_checkpoint:-best}_checkpoint\": *{[^}]*\"name\": *\"\([^\"]*\)\".*/\1/p")
        from=${named:-$from}
        put "$pretrained_s3_prefix/model/.coach_checkpoint" "$from" # as the real one does: in its source
    fi
    if [ "$(rclone lsf "s3:$bucket/$pretrained_s3_prefix/model" --include "$from.*" | wc -l)" != 3 ]; then
        failed "No checkpoint files" 8
    fi
    echo "Checkpoint> Restoring from path=./pretrained_checkpoint_sagemaker/agent/$from"
    n=$((${from%%_*} + 1))
fi
first=$n episode=0 steps=0
save $n 0
if [ -n "$today" ] && [ "${FAKE_NEVER:-}" != ready ]; then
    put "$s3_prefix/model/.ready" ""
    echo "[s3] Successfully uploaded .ready to                  s3 bucket $bucket with s3 key $s3_prefix/model/.ready."
fi
while true; do
    until [ -e "/tmp/redis/$n" ]; do
        if [ -n "$leaving" ]; then finish; fi
        usleep 100000
    done
    for _ in 1 2; do
        episode=$((episode + 1)) steps=$((steps + 20))
        echo "Training> Name=main_level/agent, Worker=0, Episode=$episode, Total reward=$episode.5, Steps=$steps, Training iteration=$n"
    done
    sleep "${FAKE_ITERATION:-0.3}"
    for epoch in 0 1 2; do
        if spoilt $((n + 1)); then
            echo "Policy training> Surrogate loss=nan, KL divergence=nan, Entropy=nan, training epoch=$epoch, learning_rate=$rate"
            if [ -z "$today" ]; then failed "NaN detected in loss function, aborting training." 25; fi
        else
            echo "Policy training> Surrogate loss=-0.01$epoch, KL divergence=0.0099, Entropy=2.62$epoch, training epoch=$epoch, learning_rate=$rate"
        fi
    done
    n=$((n + 1))
    save $n $steps
    if [ -n "$today" ]; then
        last=$((n > first + 1 ? n - 2 : -1))
        echo "Best checkpoint number: $last, Last checkpoint number: $last"
    fi
    if [ -n "$leaving" ]; then
        echo "Received SIGTERM. Checkpointing before exiting."
        finish
    fi
done
