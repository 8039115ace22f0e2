"""What versions registered before 0.2.0 import, as `retraining.…`, where this project is installed."""
