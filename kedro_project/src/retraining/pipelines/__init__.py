"""Kedro pipelines, one package each."""
