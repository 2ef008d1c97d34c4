#!/bin/sh
# Plays MinIO behind its command line: `server FOLDER`.
if [ "$1" != server ]; then
    echo "Invalid command: $1" >&2
    exit 1
fi
case ${FAKE_DIE:-} in s3) exit 1 ;; esac
user=${MINIO_ROOT_USER:-$MINIO_ACCESS_KEY} password=${MINIO_ROOT_PASSWORD:-$MINIO_SECRET_KEY}
if [ ${#user} -lt 3 ] || [ ${#password} -lt 8 ]; then
    echo "ERROR Unable to validate credentials inherited from the shell environment: Invalid credentials" >&2
    exit 1
fi
# A disk with folders before MinIO's own is none of its disks: it gives up.
if [ ! -e "$2/.minio.sys" ] && [ -n "$(ls "$2")" ]; then
    echo "ERROR Unable to initialize backend: some unexpected files '$(ls "$2")' found on $2: corrupted format" >&2
    exit 1
fi
mkdir -p "$2/.minio.sys"
exec rclone serve s3 "$2" --config "" --addr :9000 --auth-key "$user,$password" --vfs-cache-mode off --no-cleanup
