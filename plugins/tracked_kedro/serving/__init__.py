"""Registered models as code: packed with what they import, loaded again, served."""
