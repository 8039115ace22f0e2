"""The report of a run, and the table that the forecasts page shows."""
