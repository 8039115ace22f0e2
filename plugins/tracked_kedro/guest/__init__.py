"""What runs in a hosted project's own interpreter: it needs Kedro and mlflow-skinny there, and nothing else."""
