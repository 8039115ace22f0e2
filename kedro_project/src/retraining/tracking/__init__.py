"""Kedro hooks and datasets that log to MLflow."""
