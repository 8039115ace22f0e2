"""From `airflow.yml` to DAG files: typed, checked, grouped, rendered."""
