"""Files that MLflow copies into a model and runs when it loads that."""
