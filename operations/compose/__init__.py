"""The containers: secrets, start, upgrade, backup, pruning. Standard library only."""
