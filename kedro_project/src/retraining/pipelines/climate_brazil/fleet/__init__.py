"""What the series of a run teach each other, learnt before they are trained."""
