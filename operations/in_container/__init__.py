"""What services of the stack do once, inside their containers."""
