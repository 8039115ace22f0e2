"""All that a search of MLflow's client finds, page after page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

#: Results a request; each of MLflow's searches allows as many.
PAGE = 1000


def paged(search: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """Ask for one page after the other, the next one only when it is wanted.

    Pages are counted from the start of what is found at that moment: make a list first where the loop changes what
    the search would find.

        for run in paged(client.search_runs, [experiment_id], "attributes.status = 'RUNNING'"): ...

    Args:
        search: a search of MLflow's client: of runs, experiments, registered models or model versions.
        arguments: of the search.
        options: of the search, too.
    """
    token = None
    while True:
        page = search(*arguments, **{"max_results": PAGE, **options, "page_token": token})
        yield from page
        token = page.token
        if not token:
            return
