"""The production stack as processes on one machine: Postgres, S3 stores, MLflow, Airflow, and Redis where asked for."""
