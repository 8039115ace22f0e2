"""The forecasts page: what the monthly runs have stored, shown behind Airflow's login."""
