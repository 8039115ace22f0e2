"""Names that the two sides agree on: tags of MLflow runs, task ids, runtime parameters. Standard library only."""

# Task whose XCom value is the id of the parent MLflow run.
OPEN_RUN_TASK = "open_run"
# XCom key under which it says that nothing is tracked; without this and without an id it has not done its work.
UNTRACKED = "untracked"
CLOSE_RUN_TASK = "close_run"
# A DAG's file is named after it.
DAG_FILE_SUFFIX = "_dag.py"

# Tags of the parent run; which of them make its identity: `tracked_kedro.parent_run.identity`.
DAG_ID_TAG = "airflow.dag_id"
DAG_RUN_ID_TAG = "airflow.dag_run_id"
RUN_TYPE_TAG = "airflow.run_type"
INTERVAL_START_TAG = "airflow.data_interval_start"
INTERVAL_END_TAG = "airflow.data_interval_end"
# MLflow's own, shown as "Source" and "Created by".
SOURCE_TAG = "mlflow.source.name"
USER_TAG = "mlflow.user"
NOTE_TAG = "mlflow.note.content"
FAILED_TASKS_TAG = "airflow.failed_tasks"
# What became of the version: written by `decide` and `promote`, and by `close_run` where a person or a mode said no.
PROMOTION_TAG = "promotion"
# Why a scheduled run trained nothing: its champion has learnt all of it already.
NOTHING_NEW_TAG = "nothing_new"
# Why the Kedro session that failed first did so, and its nodes; set by whatever tracks sessions in the project.
ERROR_TAGS = ("error_type", "error_message", "error_in")
# Page of the DAG run, where Airflow's address is known.
DAG_RUN_URL_TAG = "airflow.dag_run_url"
# Which Airflow the DAG run belongs to: several may log to one tracking server. Its value is an Airflow Variable.
AIRFLOW_TAG = "airflow.instance"
AIRFLOW_VARIABLE = "tracked_kedro_instance"
# When the DAG run began, and how often it was cleared: a DAG run that was deleted and made again has the same id.
STARTED_TAG = "airflow.dag_run_start"
CLEARED_TAG = "airflow.clear_number"
# Of the parent of the deleted one: the parent of the one that was made again.
REPLACED_TAG = "airflow.replaced_by"
# Host, process id and start of a process that a DAG run cannot outlive: that of `airflow dags test`.
PROCESS_TAG = "airflow.process"
# Why a run was ended by somebody else than its close task.
END_REASON_TAG = "airflow.end_reason"
PIPELINE_TAG = "pipeline_names"
ENVIRONMENT_TAG = "env"
KEDRO_VERSION_TAG = "kedro_version"
KEDRO_COMMAND_TAG = "kedro_command"
RUNTIME_PARAMS_TAG = "runtime_params"

# Parameters that the bridge hands to Kedro beside those of the DAG run.
RUN_KEY = "run_key"
PIPELINE = "pipeline"
SHARD = "shard"
APPROVAL = "approval"
USE_MLFLOW = "use_mlflow"
# A DAG parameter of this name that nobody set takes the month of the DAG run.
CUTOFF = "cutoff"

# Tag of a child run: its key; `series` since the first release, and so in all stores.
KEY_TAG = "series"
# Metric of the parent run: how many of its child runs are finished.
DONE_METRIC = "series_done"

# Tag of a model version: the parent run that registered it. Of that run: the version, as `<model>/<number>`.
PARENT_RUN_TAG = "parent_run_id"
MODEL_VERSION_TAG = "model_version"
# Tags of a parent run that the forecasts page shows: the unit of its numbers, and that they are made up.
UNIT_TAG = "unit"
SIMULATED_TAG = "simulated"
# A mapped task `x` gets its shards from the task `x_shards`.
SHARDS_SUFFIX = "_shards"
# Of a hosted project's parent run: the Kedro parameters that its DAG run has set, as JSON.
HOSTED_PARAMS_TAG = "kedro_runtime_params"
# Of the id of a box in a DAG's graph: a DAG may well have a task `train`, and one that promotes has a task `decide`.
STAGE_PREFIX = "stage_"
# Where the API server mounts the ways to MLflow's pages, and an approval's pictures.
TO_MLFLOW = "/to-mlflow"

# Tasks of a DAG that promotes what it registers, and the DAG parameter that says who decides.
DECIDE_TASK = "decide"
APPROVE_TASK = "approve"
PROMOTE_TASK = "promote"
PROMOTION_MODE = "promotion_mode"
# The rules: a block of a pipeline's parameters, or of a hosted project's block. Up to 0.2.0 the mode was called so too.
PROMOTION = "promotion"
# Key of a block: the model that its pipeline registers.
REGISTERED_MODEL = "registered_model"
# XCom key under which `approve` or `promote` says why it was skipped where the rules would have promoted.
REASON = "reason"
# Tasks that have to do with a model version.
VERSION_TASKS = ("register", DECIDE_TASK, APPROVE_TASK, PROMOTE_TASK)
