# How the fakes reach their bucket: rclone, told by the variables that the real ones are told by. To be sourced.
export RCLONE_CONFIG="" RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Minio RCLONE_CONFIG_S3_NO_CHECK_BUCKET=true
export RCLONE_CONFIG_S3_ENDPOINT="$S3_ENDPOINT_URL" RCLONE_CONFIG_S3_REGION="${AWS_REGION:-${APP_REGION:-us-east-1}}"
export RCLONE_CONFIG_S3_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" RCLONE_CONFIG_S3_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"
export RCLONE_LOG_LEVEL=ERROR RCLONE_RETRIES=1 RCLONE_LOW_LEVEL_RETRIES=2 RCLONE_CONTIMEOUT=3s

# A file's text to a key.
put() {
    printf '%s' "$2" | rclone rcat "s3:$bucket/$1" || failed "Unable to upload file $1"
}

# A key's text; nothing if it is absent.
get() {
    rclone cat "s3:$bucket/$1" 2>/dev/null || true
}

there() {
    [ -n "$(rclone lsf "s3:$bucket/$1" 2>/dev/null)" ]
}

drop() {
    rclone deletefile "s3:$bucket/$1" 2>/dev/null || true
}

# The real software's way out: a line of JSON, a number, and the end.
failed() {
    echo "{\"simapp_exception\": {\"date\": \"now\", \"function\": \"fake.py::main::1\", \"message\": \"$1\"}}"
    echo "ERROR: FAULT_CODE: ${2:-0}"
    exit 1
}

# A string or a number of a flat JSON text.
said() {
    printf '%s' "$1" | tr -d '\n' | sed -n "s/.*\"$2\": *\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# The newest set's stem by the pointer, as today's or as 2019's software writes it.
pointer() {
    if [ "${FAKE_FORMAT:-today}" = 2019 ]; then
        get "$1/model/checkpoint" | sed -n 's/^model_checkpoint_path: "\(.*\)"/\1/p'
    else
        get "$1/model/.coach_checkpoint"
    fi
}
