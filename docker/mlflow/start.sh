#!/bin/sh
# Reads secrets from files, so that neither `docker inspect` nor a command line shows them, and becomes the server;
# or, given `gc …` or `upgrade`, removes deleted runs for good, or brings the tables to this version.
set -eu

secret() {
    [ -s "/run/secrets/$1" ] || { echo "Secret $1 is missing or empty; run 'make secrets', then 'make up'" >&2; exit 1; }
    cat "/run/secrets/$1"
}

# libpq takes the password from here; the addresses below and in basic_auth.ini hold none.
PGPASSWORD=$(secret mlflow_database_password)
MLFLOW_AUTH_ADMIN_PASSWORD=$(secret mlflow_admin_password)
MLFLOW_FLASK_SERVER_SECRET_KEY=$(secret mlflow_flask_secret)
export PGPASSWORD MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY

case "${1:-server}" in
    gc)
        shift
        export MLFLOW_TRACKING_URI=http://127.0.0.1:5000 MLFLOW_TRACKING_USERNAME=admin
        export MLFLOW_TRACKING_PASSWORD="$MLFLOW_AUTH_ADMIN_PASSWORD"
        exec mlflow gc --backend-store-uri "$MLFLOW_BACKEND_STORE_URI" "$@"
        ;;
    upgrade) exec mlflow db upgrade "$MLFLOW_BACKEND_STORE_URI" ;;
esac

exec mlflow server --app-name basic-auth --host 0.0.0.0 --port 5000 --workers "${MLFLOW_WORKERS:-2}"
