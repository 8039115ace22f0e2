"""The model that `track.model` names, as an MLflow model without a pickle, in the folder of this DAG run.

The task `register` signs it, registers it and stores it among the run's artifacts: that needs a key which no process of
a hosted project has.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import pickle
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.request import MODEL_FOLDER

log = logging.getLogger(__name__)

# Flavours of MLflow that store a model in the library's own format.
_NATIVE = ("xgboost", "lightgbm", "catboost")
# What skops may load besides what it trusts by itself: classes of these libraries, none of anybody's own.
_KNOWN = ("sklearn.", "numpy.", "scipy.", "pandas.", "collections.", "builtins.")
_ROWS = 5  # of an example


def store_model(model: Any, settings: Mapping[str, Any], inputs: Mapping[str, Any], folder: str) -> None:
    """Store a model where `register` finds it.

    Args:
        model: what the node has made.
        settings: the block's `track.model`.
        inputs: of the node, by name: the table among them that the model can predict from gives its signature.
        folder: of this DAG run's data.

    Raises:
        PermanentError: it can be stored as a pickle only, and the block does not allow that.
    """
    import fsspec

    with tempfile.TemporaryDirectory() as local:
        target = Path(local) / "model"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            _save(model, settings, _signature(model, inputs), target)
        filesystem, path = fsspec.core.url_to_fs(f"{folder}/{MODEL_FOLDER}")
        if filesystem.exists(path):
            filesystem.rm(path, recursive=True)
        filesystem.makedirs(path, exist_ok=True)
        filesystem.put(f"{target}/", f"{path}/", recursive=True)


def _save(model: Any, settings: Mapping[str, Any], signature: Any, target: Path) -> None:
    library = next((name for kind in type(model).__mro__ if (name := kind.__module__.partition(".")[0]) in _NATIVE), "")
    if library:
        flavour = importlib.import_module(f"mlflow.{library}")
        flavour.save_model(
            model, str(target), signature=signature, pip_requirements=_pinned(library, "numpy", "pandas")
        )
        if not [path for path in target.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]:
            return
        # A wrapper of scikit-learn's kind: MLflow pickles that.
        import shutil

        shutil.rmtree(target)
    elif any(kind.__module__.startswith("sklearn.") for kind in type(model).__mro__):
        if (unknown := _saved_by_skops(model, signature, target)) is None:
            return
        if not settings.get("allow_pickle"):
            raise PermanentError(
                f"track.model: {settings['dataset']} holds {', '.join(unknown)}, which skops does not store without "
                "trusting whoever writes the file; write `allow_pickle: true` below `track.model` if it may be a "
                "pickle that only this project's environment loads, after its signature was checked"
            )
    if not settings.get("allow_pickle"):
        raise PermanentError(
            f"track.model: {settings['dataset']} is a {type(model).__module__}.{type(model).__qualname__}, which can "
            "be stored as a pickle only; write `allow_pickle: true` below `track.model` if it may be one that only "
            "this project's environment loads, after its signature was checked"
        )
    with tempfile.TemporaryDirectory() as parts:
        (Path(parts) / "model.pkl").write_bytes(pickle.dumps(model))
        _save_pyfunc("pickled_model.py", Path(parts), signature, target)


def _saved_by_skops(model: Any, signature: Any, target: Path) -> list[str] | None:
    """None where the model is saved, else the types that stand against it."""
    try:
        import skops.io
    except ImportError as error:
        raise PermanentError(
            "track.model: a model of scikit-learn is stored by skops, which is missing where this project runs; name "
            "it in the project's requirements (with `environment: own`: `make environments` adds it)"
        ) from error
    with tempfile.TemporaryDirectory() as parts:
        file = Path(parts) / "model.skops"
        skops.io.dump(model, file)
        wanted = skops.io.get_untrusted_types(file=file)
        if unknown := [kind for kind in wanted if not kind.startswith(_KNOWN)]:
            return unknown
        (Path(parts) / "trusted.json").write_text(json.dumps(wanted))
        _save_pyfunc("skops_model.py", Path(parts), signature, target, "skops", "scikit-learn")
    return None


def _save_pyfunc(code: str, parts: Path, signature: Any, target: Path, *libraries: str) -> None:
    import mlflow.pyfunc

    mlflow.pyfunc.save_model(
        target,
        python_model=str(Path(__file__).with_name("models") / code),
        artifacts={path.name: str(path) for path in parts.iterdir()},
        pip_requirements=_pinned("mlflow", "numpy", "pandas", *libraries),
        signature=signature,
    )


def _pinned(*distributions: str) -> list[str]:
    found = []
    for name in distributions:
        for one in (name, f"{name}-skinny"):
            try:
                found.append(f"{one}=={importlib.metadata.version(one)}")
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found


def _signature(model: Any, inputs: Mapping[str, Any]) -> Any:
    """What the model takes and gives, from the first table among the node's inputs that it can predict from."""
    from mlflow.models import infer_signature

    for value in inputs.values():
        if not (hasattr(value, "columns") and hasattr(value, "head")):
            continue
        try:
            example = value.head(_ROWS)
            return infer_signature(example, model.predict(example))
        except Exception:
            log.debug("No signature from this input", exc_info=True)
    log.warning(
        "No table among the node's inputs is one that the model predicts from: it is stored without a signature"
    )
    return None
