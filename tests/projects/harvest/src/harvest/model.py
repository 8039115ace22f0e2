"""A model that is a class of the project's own."""


class Yield:
    """Tons as a weighted sum."""

    def __init__(self, weights, factor):
        self.weights, self.factor = weights, factor

    def predict(self, table):
        return sum(table[name] * weight for name, weight in self.weights.items()) * self.factor
