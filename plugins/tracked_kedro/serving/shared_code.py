"""The code of child runs' models: once for all children of a parent run, among that run's artifacts.

A registered version holds its code itself (see `archive`). A fleet's models are thousands, all of one code: theirs is
an artifact of the parent run, named by its digest. The model's file names both, and without them refuses to load; a
copy in a cache, or the checkout, answers for nobody.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tracked_kedro.serving.archive import CODE_FILE, prelude

#: Folder of the parent run's artifacts.
FOLDER = "model_code"
_MLMODEL = "MLmodel"
_FROM_RUN = """\
import hashlib
import importlib
import sys
import tempfile
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

if {name!r} not in sys.modules:
    with tempfile.TemporaryDirectory() as folder:
        try:
            archive = download_artifacts(run_id={run_id!r}, artifact_path={path!r}, dst_path=folder)
        except Exception as error:
            raise MlflowException(
                "The code of this model cannot be read: it is {path} of its parent run {run_id}. "
                "MLFLOW_TRACKING_URI has to name the server of that run, and the run must still have the file"
            ) from error
        if hashlib.sha256(Path(archive).read_bytes()).hexdigest() != {digest!r}:
            raise MlflowException("{path} of run {run_id} is not the code that this model was saved with: restore it")
        sys.path.append(archive)
        importlib.invalidate_caches()
        import {name}

        sys.path.remove(archive)
"""


def take_code(model: Path, run_id: str) -> tuple[str, bytes] | None:
    """Take the code out of a saved model, which afterwards finds it with a run.

    Args:
        model: folder of a pyfunc model that `packaging.save_pyfunc` wrote.
        run_id: of the run that will hold the code.

    Returns:
        Where among that run's artifacts the model looks for the code, and the code; None for a model that brought
        none, or was saved by other means: it stays as it is.
    """
    archive = model / "artifacts" / CODE_FILE
    if not archive.is_file():
        return None
    content = archive.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        name = files.namelist()[0].partition("/")[0]
    declared, code_file = _without_code((model / _MLMODEL).read_text())
    text = (model / code_file).read_text()
    if prelude(name) not in text:
        return None
    digest = hashlib.sha256(content).hexdigest()
    path = f"{FOLDER}/{digest}.zip"
    finding = _FROM_RUN.format(name=name, run_id=run_id, path=path, digest=digest)
    (model / code_file).write_text(text.replace(prelude(name), finding))
    (model / _MLMODEL).write_text(declared)
    archive.unlink()
    return path, content


@lru_cache(maxsize=4)
def _without_code(declared: str) -> tuple[str, str]:
    """Content of `MLmodel` for a model without its archive, and the name of the file that MLflow runs.

    Parsed once for all models that differ in other files only, as those of a task do.
    """
    model: dict[str, Any] = yaml.safe_load(declared)
    flavor = model["flavors"]["python_function"]
    flavor["artifacts"].pop(CODE_FILE)
    return yaml.safe_dump(model), Path(flavor["model_code_path"]).name
