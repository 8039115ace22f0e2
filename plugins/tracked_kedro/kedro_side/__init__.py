"""Kedro as a task needs it: sessions, hooks, parameters, discovery of pipelines, datasets."""
