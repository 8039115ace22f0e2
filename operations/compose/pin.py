"""`make pin-images`: beside each upstream image's tag, the digest that it has now. Standard library only.

A tag can be moved to another image by whoever owns it, a digest cannot. The files are changed in place, to be looked
at and committed; an image that no registry answers for keeps what it has.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from operations.compose import engine

FILES = ("docker-compose.yaml", "docker/Dockerfile", "docker/mlflow.Dockerfile")
# Where an upstream image stands: `image: name:tag`, `STORE_IMAGE: name:tag`, `FROM name:tag`, with a digest or without.
_IMAGE = re.compile(
    r"^(?P<before> *(?:image|STORE_IMAGE): |FROM )(?P<tagged>(?!retraining-)[a-z][\w./-]*:[\w.-]+)"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?$",
    re.MULTILINE,
)


def images(text: str) -> dict[str, str | None]:
    """Upstream images that a file names, by tag, and the digest beside each, if any."""
    return {found["tagged"]: found["digest"] for found in _IMAGE.finditer(text)}


def pinned(text: str, digests: dict[str, str]) -> str:
    """The file with these digests beside their tags; an image without one stays as it is."""

    def line(found: re.Match[str]) -> str:
        digest = digests.get(found["tagged"])
        return f"{found['before']}{found['tagged']}@{digest}" if digest else found[0]

    return _IMAGE.sub(line, text)


def main() -> None:
    """Ask for every image's digest, write those that were answered, and say which were not."""
    if problems := engine.problems():
        sys.exit("\n".join(problems))
    texts = {Path(name): Path(name).read_text() for name in FILES}
    known = {image: digest for text in texts.values() for image, digest in images(text).items()}
    digests = {}
    for image, before in known.items():
        if digest := engine.digest(image):
            digests[image] = digest
            print(f"{image}: {'as before' if digest == before else digest}", flush=True)
        else:
            print(f"{image}: no registry answered, {'its digest stays' if before else 'its tag applies'}", flush=True)
    for file, text in texts.items():
        file.write_text(pinned(text, digests))
    print(f"{len(digests)} of {len(known)} images are pinned to a digest that was asked for now.")
    if digests:
        print("Next: git diff, commit, make up")


if __name__ == "__main__":
    main()
