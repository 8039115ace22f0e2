"""Prices of flights to the moon."""
