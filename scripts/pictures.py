"""Pictures of the terminal for the documentation, from real commands on a fleet of their own.  Run it: make pictures

Nothing is made up. Only this: paths of this computer are written as ~/.fleet and the like, and where ``…`` stands alone
lines were left out. Needs no network, neither here nor where a picture is shown.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
WIDTH = 118
WIDE = 130
NAMES = ("plan", "up", "status", "ps", "demo")
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""They would be fetched from elsewhere; the reader's own monospaced font does as well."""


def main() -> None:
    """Run the commands of the tutorial, and the demo."""
    parser = argparse.ArgumentParser(description="Pictures of the terminal for the documentation.")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--iterations", type=int, default=300, help="how long the demo trains")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fleet-pictures-") as folder:
        terminal = Terminal(Path(folder), options.into)
        try:
            terminal.tutorial(set(options.only))
            if "demo" in options.only:
                terminal.demo(options.iterations)
        finally:
            terminal.clean_up()


class Terminal:
    """A folder with the tutorial's files, a home, and commands whose output becomes pictures."""

    def __init__(self, folder: Path, into: Path) -> None:
        self.home, self.work, self.into = folder / "home", folder / "five-minutes", into
        self.env = {**os.environ, "FLEET_HOME": str(self.home), "COLUMNS": str(WIDTH), "TMPDIR": str(folder)}
        self.folder = folder
        self.work.mkdir()
        page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
        for name, kind in (("train.py", "python"), ("fleet.yaml", "yaml")):
            found = re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)
            assert found is not None
            (self.work / name).write_text(found[1], encoding="utf-8")
        market = re.search(r"echo '(\{.*?\})' >", page)
        assert market is not None
        (self.home / "local").mkdir(parents=True)
        (self.home / "local" / "market.json").write_text(market[1], encoding="utf-8")

    def tutorial(self, names: set[str]) -> None:
        """The commands of docs/tutorial.md that have a picture there."""
        if "plan" in names:
            self.picture("plan", "fleet plan fleet.yaml")
        if names & {"up", "status"}:
            self.picture("up", "fleet up fleet.yaml")
            self.picture("status", "fleet status mine")
        if "ps" in names:
            self.said("fleet up --detach fleet.yaml")
            deadline = time.monotonic() + 60
            while "/s " not in self.said("fleet ps", WIDE) and time.monotonic() < deadline:
                time.sleep(0.5)
            self.picture("ps", "fleet ps", WIDE)
            self.said("fleet down mine")

    def demo(self, iterations: int) -> None:
        """``fleet demo``: its first interruption, and the summary."""
        words = "fleet demo" if iterations == 300 else f"fleet demo --iterations {iterations}"
        lines = self.said(words).splitlines()
        until = next((i + 2 for i, line in enumerate(lines) if re.search(r"#2 +resumed", line)), len(lines))
        end = next(i for i, line in enumerate(lines) if re.match(r"\d+ machines", line))
        self.draw("demo", words, [*lines[:until], "      …", *lines[end:]], WIDTH)

    def picture(self, name: str, words: str, width: int = WIDTH) -> None:
        """A command and all that it printed."""
        self.draw(name, words, self.said(words, width).splitlines(), width)

    def said(self, words: str, width: int = WIDTH) -> str:
        """What a command printed. Raises SystemExit if it failed."""
        command = [sys.executable, "-m", "fleet.cli", *words.split()[1:]]
        env = {**self.env, "COLUMNS": str(width)}
        done = subprocess.run(command, cwd=self.work, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return self.clean(done.stdout)

    def clean(self, text: str) -> str:
        """Without this computer's paths."""
        text = text.replace(self.home.as_uri(), "file:///home/you/.fleet").replace(str(self.home), "~/.fleet")
        return re.sub(rf"{re.escape(str(self.folder))}/fleet-demo-\w+", "/tmp/fleet-demo", text)

    def draw(self, name: str, words: str, lines: list[str], width: int) -> None:
        """Write NAME.svg."""
        console = Console(record=True, width=width, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115, PTH123
        prompt = Text("$ ", style="bold green")
        console.print(prompt.append(words, style="bold white"))
        for line in lines:
            console.print(styled(line), soft_wrap=False, overflow="fold")
        svg = FONTS.sub("", console.export_svg(title=words, theme=MONOKAI, unique_id=f"fleet-{name}"))
        path = self.into / f"{name}.svg"
        path.write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")

    def clean_up(self) -> None:
        """No machine is left."""
        from fleet.providers.local.provider import stop_everything

        stop_everything(self.home / "local")


def styled(line: str) -> Text:
    """A line as it is, with a little colour for what a reader looks for."""
    text = Text(line)
    text.highlight_regex(r"^ +[\d.]+s ", "bright_black")
    text.highlight_regex(r"\b(notice|rebalance|taken by the cloud)\b", "bold yellow")
    text.highlight_regex(r"\b(resumed|nothing lost|byte-identical|chosen|succeeded)\b", "bold green")
    text.highlight_regex(r"lost \d+ steps", "bold yellow")
    text.highlight_regex(r"#\d+ ", "cyan")
    return text


if __name__ == "__main__":
    main()
