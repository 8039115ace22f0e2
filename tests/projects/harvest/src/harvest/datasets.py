"""A dataset class of the project's own."""

from pathlib import Path

from kedro.io import AbstractDataset


class LinesDataset(AbstractDataset):
    """Lines of text, in capitals."""

    def __init__(self, filepath: str):
        self._path = Path(filepath)

    def load(self):
        return self._path.read_text().splitlines()

    def save(self, data):
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("\n".join(data).upper())

    def _describe(self):
        return {"path": str(self._path)}
