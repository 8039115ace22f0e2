"""Station files: where they come from, how they are read, and what is set aside."""
