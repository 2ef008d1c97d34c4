# Plays a simulator that evaluates: takes the model's last set, drives laps, and tells each of them as it ends. To be sourced.
#
# FAKE_LAPS: percents of the laps, in turn (100). FAKE_LAP: seconds of one (0.2). FAKE_SIM_DIE: where it ends (start, lap:N
# after N laps). FAKE_STAYS: it does not end once all laps are driven.
bucket=$MODEL_S3_BUCKET prefix=$MODEL_S3_PREFIX mark=${FAKE_SIM_PREFIX:-}
trap 'exit 143' TERM
case ${FAKE_SIM_DIE:-} in start) exit 1 ;; esac

# A value of the file, of a list the first.
param() {
    printf '%s\n' "$params" | awk -v name="'$1':" -v q="'" '
        $1 == name && NF > 1 { value = $0; sub(/^[^:]*: /, "", value); gsub(q, "", value); print value; exit }
        $1 == name { getline; if ($1 == "-") { sub(/^- /, ""); gsub(q, ""); print }; exit }'
}

if [ "${FAKE_FORMAT:-today}" = today ]; then
    params=$(get "$prefix/$S3_YAML_NAME")
    if [ -z "$params" ]; then failed "yaml read error: $prefix/$S3_YAML_NAME" 54; fi
    for name in MODEL_S3_BUCKET MODEL_S3_PREFIX METRICS_S3_BUCKET METRICS_S3_OBJECT_KEY BODY_SHELL_TYPE CAR_COLOR; do
        if ! printf '%s\n' "$params" | grep -A 1 "^'$name':$" | grep -q "^- '"; then
            failed "Incorrect number of values for these yaml parameters $name"
        fi
    done
    if [ "$(param MODEL_S3_PREFIX)" != "$prefix" ]; then failed "the model of the file is not the variable's"; fi
    if [ "$(param JOB_TYPE)" != EVALUATION ]; then failed "this is no evaluation"; fi
    metadata=$prefix/model/model_metadata.json
    world=$(param WORLD_NAME) laps=$(param NUMBER_OF_TRIALS) told=$(param METRICS_S3_OBJECT_KEY)
    traces=$(param SIMTRACE_S3_PREFIX)/evaluation-simtrace/0-iteration.csv
    stem=$(get "$prefix/model/deepracer_checkpoints.json" | tr -d '\n' |
        sed -n 's/.*"last_checkpoint": *{[^}]*"name": *"\([^"]*\)".*/\1/p')
    put "$prefix/model/.coach_checkpoint" "$stem" # as the real one does
else
    metadata=$MODEL_METADATA_FILE_S3_KEY world=$WORLD_NAME laps=$NUMBER_OF_TRIALS told=$METRICS_S3_OBJECT_KEY traces=
    stem=$(pointer "$prefix")
    if [ -z "$(get "$prefix/ip/hyperparameters.json")" ]; then failed "no hyperparameters" 70; fi
fi
if [ "$world" != "$WORLD_NAME" ]; then failed "the world of the file is not the variable's"; fi
if [ -z "$(get "$metadata")" ]; then failed "Failed to download model_metadata file: s3_bucket: $bucket" 48; fi
if [ "$(rclone lsf "s3:$bucket/$prefix/model" --include "$stem.*" | wc -l)" != 3 ]; then failed "No checkpoint files" 8; fi
echo "${mark}Loading checkpoint: ./checkpoint/agent/$stem"

lap=0 metrics='' lines=''
set -- ${FAKE_LAPS:-100}
while [ $lap -lt "$laps" ]; do
    if [ $# = 0 ]; then set -- ${FAKE_LAPS:-100}; fi
    progress=$1
    shift
    sleep "${FAKE_LAP:-0.2}"
    for step in 1 2 3; do
        echo "${mark}SIM_TRACE_LOG:$lap,$step.0,0.1,0.4,12.5,10.0,2.0,3,1.0,False,True,$progress.0,$step,17.67,$lap.$step,in_progress,0.00,0"
        lines="$lines$lap,$step.0,0.1,0.4,12.5,10.0,2.0,3,1.0,False,True,$progress.0,$step,17.67,$lap.$step,in_progress,0.0,0
"
    done
    lap=$((lap + 1))
    echo "${mark}Testing> Name=main_level/agent, Worker=0, Episode=$lap, Total reward=44.5, Steps=3, Training iteration=0"
    off=$((progress < 100))
    entry="\"completion_percentage\": $progress, \"metric_time\": ${lap}000, \"start_time\": 0, \"elapsed_time_in_milliseconds\": $((progress * 150)), \"trial\": $lap"
    if [ -n "$traces" ]; then
        entry="$entry, \"episode_status\": \"In progress\", \"crash_count\": 0, \"immobilized_count\": 0, \"off_track_count\": $off, \"reversed_count\": 0, \"reset_count\": $off"
    fi
    metrics="$metrics${metrics:+, }{$entry}"
    put "$told" "{\"metrics\": [$metrics]}"
    case ${FAKE_SIM_DIE:-} in "lap:$lap") exit 1 ;; esac
done
if [ -n "$traces" ]; then
    put "$traces" "episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint,track_len,tstamp,episode_status,pause_duration,obstacle_crashes
$lines"
    echo "${mark}Evaluation job complete"
fi
while [ -n "${FAKE_STAYS:-}" ]; do sleep 0.5; done
exit 0
