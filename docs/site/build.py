"""`make docs`: the pages of this repository as one site, which asks no other server for anything.

    python docs/site/build.py var/docs

The pages are copied to `<folder>/pages`, with links that lead where the page is now; those of the reference are written
beside them; MkDocs, in an environment of its own under `<folder>/venv`, makes `<folder>/site`. A dead link is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from reference import ROOT, pages

HERE = Path(__file__).resolve().parent
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]*)(#[^)\s]*)?\)")
_IMAGE = re.compile(r"(!\[[^\]]*\])\(([^)\s]+)\)")


def sources() -> dict[Path, str]:
    """Pages that are copied: file of this repository → name on the site."""
    found = {ROOT / "README.md": "index.md"}
    found |= {ROOT / name: name for name in ("SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")}
    found |= {path: path.name for path in sorted((ROOT / "docs").glob("*.md"))}
    found |= {path: f"decisions/{path.name}" for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))}
    return found


def relinked(text: str, source: Path, target: str, known: dict[Path, str]) -> str:
    """A page's text with links to other pages of the site; a link to a file that is on none becomes the file's name."""
    up = "../" * target.count("/")

    def link(match: re.Match[str]) -> str:
        words, path, anchor = match.group(1), match.group(2), match.group(3) or ""
        if not path or "://" in path:
            return match.group(0)
        file = (source.parent / path).resolve()
        if file == ROOT / "docs" / "decisions":
            return f"[{words}]({up}decisions.md)"
        if file in known:
            return f"[{words}]({up}{known[file]}{anchor})"
        name = f"`{file.relative_to(ROOT)}`"
        return name if words.strip("`") in name else f"{words} ({name})"

    def image(match: re.Match[str]) -> str:
        file = (source.parent / match.group(2)).resolve()
        return f"{match.group(1)}({up}images/{file.name})"

    return _IMAGE.sub(image, _LINK.sub(link, text))


def write_pages(folder: Path) -> None:
    """All pages, and the pictures."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "decisions").mkdir(parents=True)
    known = sources()
    for source, target in known.items():
        (folder / target).write_text(relinked(source.read_text(), source, target, known))
    for name, text in pages().items():
        (folder / name).write_text(text)
    decisions = {target: (folder / target).read_text().splitlines()[0] for target in known.values() if "/" in target}
    listed = "\n".join(f"- [{title.lstrip('# ')}]({target})" for target, title in decisions.items())
    (folder / "decisions.md").write_text(f"# Decisions\n\nWhy things are as they are.\n\n{listed}\n")
    shutil.copy(HERE / "site.css", folder)
    shutil.copytree(ROOT / "docs" / "images", folder / "images", ignore=shutil.ignore_patterns("*.py"))


def main(folder: Path) -> int:
    """Build the site; the exit code is MkDocs' own."""
    venv = folder / "venv"
    if not (venv / "bin" / "mkdocs").exists():
        print("Building the environment of the docs ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), "--require-hashes"]
        subprocess.run([*install, "-r", str(HERE / "requirements.lock")], check=True)
    write_pages(folder / "pages")
    environment = {
        **os.environ,
        "DOCS_PAGES": str(folder / "pages"),
        "DOCS_SITE": str(folder / "site"),
        "DOCS_LIBRARY": str(ROOT / "plugins"),
        "NO_MKDOCS_2_WARNING": "1",
    }
    command = [str(venv / "bin" / "mkdocs"), "build", "--strict", "--quiet", "--config-file", str(HERE / "mkdocs.yml")]
    code = subprocess.run(command, env=environment).returncode
    if code == 0:
        print(f"The site is made: open {folder / 'site' / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
