"""Picture of the model's graph (Graphviz)."""

import logging
import shutil
import subprocess

logger = logging.getLogger(__name__)


def can_draw() -> bool:
    """Whether Graphviz's `dot` is installed."""
    return shutil.which("dot") is not None


def model_graph_picture(dot_source: str) -> str | None:
    """The graph as SVG text, drawn by Graphviz; None where its ``dot`` is missing or fails (logged)."""
    dot = shutil.which("dot")
    if dot is None:
        return None
    command = [dot, "-Tsvg"]
    source = dot_source.encode()
    try:
        drawn = subprocess.run(command, input=source, capture_output=True, timeout=30, check=True)
        return drawn.stdout.decode()
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    logger.warning("Graphviz could not draw the model graph: %s", reason)
    return None
