"""What a generated DAG file calls: tasks, retries, executors, approval, alerts."""
