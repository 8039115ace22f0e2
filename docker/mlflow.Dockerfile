# The upstream tracking server (drivers and basic auth are in its "-full" image) with a start script that reads
# secrets from files, and a health check that goes through authentication into the database.
FROM ghcr.io/mlflow/mlflow:v3.17.2-full

COPY mlflow /opt/mlflow
ENV HOME=/tmp USER=mlflow
USER 50000:0
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s --retries=5 CMD ["python", "/opt/mlflow/healthy.py"]
ENTRYPOINT ["sh", "/opt/mlflow/start.sh"]
