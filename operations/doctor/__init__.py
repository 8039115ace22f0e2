"""`make doctor`: what could be wrong, each with its remedy. Standard library only."""
