"""What versions and child runs made before 0.2.0 import, as `retraining.…`, where this project is installed."""
