#!/bin/sh
# REDIS_PASSWORD, and perhaps DASHBOARD_PASSWORD, in; a server that knows only their hashes out. Further options go on
# the server's command line. SERVER, DATA_DIR and RUN_DIR say which program, and where its file and its users go.
set -eu
umask 077
here=$(dirname "$0")
run=${RUN_DIR:-/run/valkey}

hashed() {
    printf %s "$1" | sha256sum | cut -d ' ' -f 1
}

captcha="#$(hashed "${REDIS_PASSWORD:?expected a password of the service, received none}")"
dashboard=off
[ -z "${DASHBOARD_PASSWORD:-}" ] || dashboard="on #$(hashed "$DASHBOARD_PASSWORD")"

sed -e ':join' -e '/\\$/{N;s/\\\n//;b join' -e '}' "$here/users.acl" |
    sed -e '/^#/d' -e '/^$/d' -e "s/@CAPTCHA@/$captcha/" -e "s/@DASHBOARD@/$dashboard/" >"$run/users.acl"

unset REDIS_PASSWORD DASHBOARD_PASSWORD
exec "${SERVER:-valkey-server}" "$here/redis.conf" --dir "${DATA_DIR:-/data}" --aclfile "$run/users.acl" "$@"
