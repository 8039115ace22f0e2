"""The movie recommender: reading the stream of views and ratings, the factor model, and its scoring."""
