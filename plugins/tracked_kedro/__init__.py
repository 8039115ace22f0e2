"""The bridge: Airflow on one side, MLflow and Kedro sessions on the other. It knows no pipeline by name."""
