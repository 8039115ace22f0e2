"""Pictures of series, forecasts and the model."""
