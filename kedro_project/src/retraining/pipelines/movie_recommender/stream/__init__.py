"""The stream of views and ratings: where it comes from, and how it is read."""
