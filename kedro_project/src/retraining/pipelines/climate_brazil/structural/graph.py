"""The PyMC model as a picture's source text."""

from typing import Literal

from .config import ModelConfig
from .model import build_model, example_data


def model_graph(model: ModelConfig | None = None, format: Literal["dot", "mermaid"] = "dot") -> str:
    """Graphviz DOT or Mermaid text of the model that defines the engine. Imports PyMC: draw once, keep the text."""
    import pymc as pm  # five seconds

    config = model or ModelConfig()
    built = build_model(config, example_data(config))
    if format == "mermaid":
        return str(pm.model_to_mermaid(built))
    return str(pm.model_to_graphviz(built).source)
