"""Names that the two sides agree on: tags of MLflow runs, task ids, runtime parameters. Standard library only."""

# Task whose XCom value is the id of the parent MLflow run.
OPEN_RUN_TASK = "open_run"
CLOSE_RUN_TASK = "close_run"

# Tags of the parent run. Identity of a parent: the first two.
DAG_ID_TAG = "airflow.dag_id"
DAG_RUN_ID_TAG = "airflow.dag_run_id"
RUN_TYPE_TAG = "airflow.run_type"
INTERVAL_START_TAG = "airflow.data_interval_start"
INTERVAL_END_TAG = "airflow.data_interval_end"
# MLflow's own, shown as "Source" and "Created by".
SOURCE_TAG = "mlflow.source.name"
USER_TAG = "mlflow.user"
FAILED_TASKS_TAG = "airflow.failed_tasks"
PIPELINE_TAG = "pipeline_names"
ENVIRONMENT_TAG = "env"
KEDRO_VERSION_TAG = "kedro_version"
KEDRO_COMMAND_TAG = "kedro_command"

# Parameters that the bridge hands to Kedro beside those of the DAG run.
RUN_KEY = "run_key"
PIPELINE = "pipeline"
SHARD = "shard"
USE_MLFLOW = "use_mlflow"
# A DAG parameter of this name that nobody set takes the month of the DAG run.
CUTOFF = "cutoff"
