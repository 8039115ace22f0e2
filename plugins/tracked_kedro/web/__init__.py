"""Behind Airflow's login: buttons that lead to MLflow's pages, and pages of this library's own."""
