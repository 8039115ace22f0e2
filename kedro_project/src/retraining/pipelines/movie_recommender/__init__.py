"""Monthly retraining of the movie recommender from the stream of views and ratings."""
