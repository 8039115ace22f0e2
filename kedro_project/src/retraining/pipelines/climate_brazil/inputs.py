"""What nodes and their wiring agree on. Pure: nodes know no Kedro."""

#: Of the pipeline.
NAME = "climate_brazil"


class Inputs:
    """Base of dataclasses whose fields are inputs of a node, each a dataset or parameter of its own."""
