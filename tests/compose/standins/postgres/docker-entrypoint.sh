#!/bin/bash
# The upstream entry script in short: a cluster where there is none, its first scripts, then the server.
set -euo pipefail
if ! getent passwd "$(id -u)" > /dev/null; then
    export LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/etc/group
    echo "someone:x:$(id -u):0::/:/bin/false" > "$NSS_WRAPPER_PASSWD"
fi
export POSTGRES_USER=${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA" && chmod 0700 "$PGDATA"
    initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --encoding UTF8 \
        --auth-local trust --auth-host scram-sha-256 > /dev/null
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata "$PGDATA" --wait --silent --options "-c listen_addresses='' -k /var/run/postgresql" start > /dev/null
    for script in /docker-entrypoint-initdb.d/*.sh; do echo "running $script"; bash "$script"; done
    pg_ctl --pgdata "$PGDATA" --mode fast --wait --silent stop
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*' -k /var/run/postgresql
