#!/bin/sh
# Plays a simulator: waits for the trainer in its order, drives with each new set, and says so.
#
# FAKE_SIM_DIE: where it ends (start, N after it drove with that set, reward). FAKE_SIM_PREFIX stands before each line, as
# today's launcher puts it there. Of an evaluation: evaluation.sh.
. /fake/bucket.sh
case ${2:-} in evaluation.launch*) . /fake/evaluation.sh ;; esac
bucket=$SAGEMAKER_SHARED_S3_BUCKET prefix=$SAGEMAKER_SHARED_S3_PREFIX worker=${ROLLOUT_IDX:-0}
suffix=
if [ "$worker" != 0 ]; then suffix=_$worker; fi
metrics='' mark=${FAKE_SIM_PREFIX:-}
today=1
[ "${FAKE_FORMAT:-today}" = today ] || today=
trap 'exit 143' TERM
say() {
    echo "$mark$1"
}
case ${FAKE_SIM_DIE:-} in start) exit 1 ;; esac
if [ -n "$today" ]; then
    params=$(get "$prefix/$S3_YAML_NAME")
    if [ -z "$params" ]; then
        failed "yaml read error: $prefix/$S3_YAML_NAME" 54
    fi
    world=$(printf '%s\n' "$params" | sed -n "s/^'WORLD_NAME': '\(.*\)'/\1/p")
    reward=$(printf '%s\n' "$params" | sed -n "s/^'REWARD_FILE_S3_KEY': '\(.*\)'/\1/p")
    say "Starting as worker $worker, using world $world and configuration $S3_YAML_NAME."
else
    world=$WORLD_NAME reward=$REWARD_FILE_S3_KEY
fi
if [ "$world" != "$WORLD_NAME" ]; then failed "the world of the file is not the variable's"; fi
if [ -z "$(get "$reward")" ]; then failed "Unable to download the reward function code." 10; fi
case ${FAKE_SIM_DIE:-} in reward) failed "Reward function error: name 'speedy' is not defined" 41 ;; esac
waited=0
until there "$prefix/ip/done"; do
    sleep 1
    waited=$((waited + 1))
    if [ $((waited % 5)) = 0 ]; then say "Waiting for SageMaker Redis server IP: Time elapsed: $waited seconds"; fi
done
ip=$(said "$(get "$prefix/ip/ip.json")" IP)
number=-1 episode=0
until stem=$(pointer "$prefix") && [ -n "$stem" ]; do
    say "Expecting checkpoint >= 0. Waiting."
    sleep 1
done
until [ -z "$today" ] || there "$prefix/model/.ready"; do
    sleep 0.5
done

# drive: two episodes with the newest set; metrics whole, traces anew.
drive() {
    lines=
    for each in 1 2; do
        head -n "$(((episode % 20 + 1) * 20))" /fake/trace.log | tail -n 20 | sed "s/^/$(printf '%s' "$mark" | sed 's/[][\/&]/\\&/g')/"
        episode=$((episode + 1))
        say "Training> Name=main_level/agent, Worker=$worker, Episode=$episode, Total reward=$episode.5, Steps=$((episode * 20)), Training iteration=0"
        metrics="$metrics${metrics:+,}{\"reward_score\":$episode,\"metric_time\":$((episode * 1000)),\"start_time\":$((episode * 1000 - 900)),\"elapsed_time_in_milliseconds\":900,\"episode\":$episode,\"trial\":$each,\"phase\":\"training\",\"completion_percentage\":$((episode % 100)),\"episode_status\":\"Off track\"}"
        lines="$lines$episode,1,0.1,0.2,0.0,0.0,1.0,0,1.0,False,True,$((episode % 100)).0,3,17.67,$episode.5,in_progress,0.0,0,0.0
"
    done
    put "$prefix/metrics/TrainingMetrics$suffix.json" "{\"metrics\":[$metrics],\"version\":2.0,\"best_model_metric\":\"progress\"}"
    put "$prefix/${suffix:+$worker/}training-simtrace/$traced-iteration.csv" "episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint,track_len,tstamp,episode_status,pause_duration,obstacle_crashes,wall_clock
$lines"
    traced=$((traced + 1))
}

# A set that was driven with is evaluated: the first worker writes which was last and best.
judge() {
    if [ -z "$today" ] || [ "$worker" != 0 ]; then return; fi
    one="{\"name\": \"$stem\", \"avg_eval_metric\": $number.0, \"time_stamp\": $(date +%s)}"
    put "$prefix/model/deepracer_checkpoints.json" "{\"best_checkpoint\": $one, \"last_checkpoint\": $one}"
    say "[s3] Successfully uploaded deepracer checkpoint to                  s3 bucket $bucket with s3 key $prefix/model/deepracer_checkpoints.json."
}

traced=0 seen=''
while true; do
    listed=$(rclone lsf "s3:$bucket/$prefix/model" 2>/dev/null)
    case $listed in *.finished*)
        say "Received termination signal from trainer. Goodbye."
        exit 0
        ;;
    esac
    newest=-1
    case $listed in
    *.lock*) ;;
    "$seen") newest=$number ;; # a glance is cheaper than a look
    *)
        newest=$(pointer "$prefix")
        seen=$listed
        ;;
    esac
    if [ "$newest" = -1 ] || [ "${newest%%_*}" = "$number" ]; then
        sleep 0.5
        say "Additional evaluation. New Checkpoint: ${newest%%_*}, Last Checkpoint: $number"
        continue
    fi
    if [ "$number" != -1 ]; then judge; fi
    stem=$newest number=${newest%%_*}
    say "Checkpoint> Restoring from path=./checkpoint_robomaker/agent/$stem"
    drive
    case ${FAKE_SIM_DIE:-} in "$number") exit 1 ;; esac
    echo "$number" | nc -w 3 "$ip" 6379 || say "the trainer at $ip does not answer"
done
