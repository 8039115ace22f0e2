"""Project settings."""
