"""Served models, logged as code: no pickle is written or read."""
