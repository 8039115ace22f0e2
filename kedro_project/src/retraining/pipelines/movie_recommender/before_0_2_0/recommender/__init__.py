"""`retraining.recommender`, as far as a version registered before 0.2.0 asks for it."""
