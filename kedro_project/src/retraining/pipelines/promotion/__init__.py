"""Kedro pipeline that any other may end with: register, decide, promote."""
