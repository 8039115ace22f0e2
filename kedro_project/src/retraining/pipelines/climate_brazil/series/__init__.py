"""One series: selected, trained, forecast, scored, recorded."""
