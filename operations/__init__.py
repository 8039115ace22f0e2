"""What starts, checks, backs up and upgrades a deployment. It knows services, no pipeline."""
