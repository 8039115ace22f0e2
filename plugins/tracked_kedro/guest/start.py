"""Where a hosted project's process begins: `<its Python> -P start.py <descriptor of the log>`, run by path.

The project's environment has no package of this library: one would bring its hooks along. So this file makes the
package known by its folder, without a word in `sys.path`: whatever else lies beside it stays out of reach.
"""

import importlib.util
import sys
from pathlib import Path


def _make_known() -> None:
    root = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "tracked_kedro", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["tracked_kedro"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _make_known()
    from tracked_kedro.guest.main import main

    sys.exit(main(int(sys.argv[1])))
