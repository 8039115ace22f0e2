"""Versions of the fleet model: compared, monitored, used for batch forecasts."""
