"""Scripts that a job's commands name and that would not be on the machine: told before anything is spent.

Only what is plain to see is told. Shell is a language: what stands after a command that may make files or change the
folder, or in variables and substitutions, is not guessed at.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from fleet.model.job import Job
from fleet.store.workdir import source_path, workdir_names

_INTERPRETER = re.compile(
    r"(python[0-9.]*|pypy3?|bash|sh|zsh|dash|perl|ruby|node|Rscript|julia|torchrun|deepspeed|accelerate)"
)
_SCRIPT = re.compile(r"[\w./-]+\.(py|sh|bash|pl|rb|js|R|jl|ipynb)")
_PREFIXES = ("exec", "time", "nohup", "env", "nice", "sudo", "stdbuf", "setsid")
_HARMLESS = {
    "echo",
    "printf",
    "export",
    "set",
    "test",
    "[",
    "true",
    "nvidia-smi",
    "date",
    "ls",
    "pip",
    "pip3",
    "sleep",
    "trap",
}
"""Commands that make no files which a job then runs, and stay in their folder."""


def missing_scripts(job: Job, folder: Path) -> list[str]:
    """A sentence for each script that ``setup`` or ``run`` starts and that is not in the packed workdir.

    ``folder`` is where the job file lies. Reads names only. What it says is likely, not certain: ask, do not refuse.
    """
    wanted = list(dict.fromkeys(name for name in _started(job) if not _mounted(job, folder, name)))
    if not wanted:
        return []
    if job.workdir is None:
        return [f"the job starts {name}, and has no workdir that could hold it" for name in wanted]
    root = folder / job.workdir
    packed = workdir_names(root)
    told = []
    for name in wanted:
        if name in packed:
            continue
        there = (root / name).is_file()
        why = "it is there, but .gitignore or .fleetignore leaves it out" if there else "there is no such file"
        told.append(f"the job starts {name}, which is not in the packed workdir: {why}")
    return told


def _started(job: Job) -> Iterator[str]:
    for commands in (job.setup, job.run):
        made: set[str] = set()
        place = ""
        for line in _lines(commands or ""):
            words = _words(line, made)
            if words is None:
                return  # what it does cannot be told, nor what is there after it
            if len(words) == 2 and words[0] == "cd" and (inner := _inside(words[1])) is not None:
                place += f"{inner}/"
                continue
            script = _script(words)
            if script is not None and place + script not in made:
                yield place + script
            elif words and Path(words[0]).name not in _HARMLESS and not _INTERPRETER.fullmatch(Path(words[0]).name):
                return


def _lines(commands: str) -> Iterator[str]:
    for line in commands.replace("\\\n", " ").splitlines():
        yield from (part.strip() for part in re.split(r"&&|;", line) if part.strip() and not part.strip().startswith("#"))


def _words(line: str, made: set[str]) -> list[str] | None:
    """The words of a simple command (of a pipe the first), without assignments, prefixes and redirections.

    What it writes by a redirection is added to ``made``. None if it is not simple.
    """
    if re.search(r"[`(){}*?]|<<|\$\(|\b(if|for|while|case|do|then|function)\b", line):
        return None
    line = re.sub(r"\d?>&\d", "", line)
    made.update(target.strip("'\"") for target in re.findall(r"&?>>?\s*([^\s|&]+)", line))
    line = re.sub(r"\d?&?>>?\s*[^\s|&]+|<\s*\S+", "", line).split("|")[0]
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    while words and (words[0] in _PREFIXES or re.fullmatch(r"\w+=.*", words[0], re.DOTALL)):
        words = words[1:]
    return words[2:] if words[:2] in (["uv", "run"], ["poetry", "run"], ["pipenv", "run"]) else words


def _script(words: list[str]) -> str | None:
    """The script that a command starts, as a path in the workdir; None if it starts none, or if that cannot be told."""
    if not words:
        return None
    if words[0].startswith("./"):
        return _inside(words[0])
    if not _INTERPRETER.fullmatch(words[0]):
        return None
    for word in words[1:]:
        if word in ("-c", "-m", "-e", "-") or "$" in word:
            return None
        if _SCRIPT.fullmatch(word):
            return _inside(word)
        if not word.startswith("-") and words[0] not in ("torchrun", "deepspeed", "accelerate"):
            return None
    return None


def _inside(path: str) -> str | None:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return None if path.startswith("/") or ".." in parts or "$" in path or not parts else "/".join(parts)


def _mounted(job: Job, folder: Path, name: str) -> bool:
    """``file_mounts`` brings it."""
    for where, source in job.file_mounts.items():
        place = where.strip("/")
        if name == place or (name.startswith(f"{place}/") and source_path(folder, source).is_dir()):
            return True
    return False
