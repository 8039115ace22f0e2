#!/bin/bash
# Runs once, when the cluster is made: a database for Airflow and one for MLflow, each with a role that can reach
# nothing else. Passwords go in on psql's input, so that no process list and no log shows them.
set -euo pipefail

for name in airflow mlflow; do
    password=$(< "/run/secrets/${name}_database_password")
    psql -v ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname postgres <<SQL
SET log_statement = 'none';
CREATE ROLE $name LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '$password';
CREATE DATABASE $name OWNER $name;
REVOKE ALL ON DATABASE $name FROM PUBLIC;
SQL
    echo "Made database $name and its role"
done
psql -v ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname postgres \
    --command "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC"
