"""What a field gives."""
