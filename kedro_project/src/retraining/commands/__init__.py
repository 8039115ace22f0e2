"""What the project's Kedro commands do."""
