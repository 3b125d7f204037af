"""Small files that are asked for in one command: lines `PATH CONTENT`."""

from collections.abc import Iterator


def listed(pattern: str) -> str:
    """A command that prints `PATH CONTENT` for the first line of each file of a pattern."""
    return f'for f in {pattern}; do [ -r "$f" ] && read -r v < "$f" && echo "$f $v"; done'


def listed_rows(answer: str) -> Iterator[tuple[str, str, str]]:
    """Folder, file and content of lines `PATH CONTENT`."""
    for line in answer.splitlines():
        path, _, content = line.strip().partition(" ")
        folder, _, name = path.rpartition("/")
        if folder:
            yield folder.rpartition("/")[2], name, content.strip()


def by_folder(answer: str) -> dict[str, dict[str, str]]:
    """Contents by folder and file."""
    found: dict[str, dict[str, str]] = {}
    for folder, name, content in listed_rows(answer):
        found.setdefault(folder, {})[name] = content
    return found
