"""Readings of sensors at two places."""
