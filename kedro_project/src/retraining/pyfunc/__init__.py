"""What versions registered before 0.2.0 import of this library, where they look for it."""
