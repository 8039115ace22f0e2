"""Monthly retraining of one Bayesian structural time-series model per temperature station."""
