"""From scores to a decision: which version of a registered model may become champion, and why. Pure Python."""
