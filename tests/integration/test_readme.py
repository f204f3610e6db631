"""What the documentation says is what the program does."""
from __future__ import annotations

import json
import re
import shlex
import subprocess

from conftest import RAY_DAP, REPOSITORY

DOCS = REPOSITORY / "docs"
SCHEMA = json.loads((REPOSITORY / "dap" / "attach.schema.json").read_text())
COMMANDS = ["serve", "stdio", "targets", "stack", "eval", "continue", "health", "doctor"]


def readme_commands() -> list[list[str]]:
    """The ray-dap commands of the README's blocks that name this file as their test."""
    blocks = re.findall(r"<!-- tested: tests/integration/test_readme\.py -->\n```sh\n(.*?)```",
                        (REPOSITORY / "README.md").read_text(), re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def help_of(*command: str) -> str:
    return subprocess.run([RAY_DAP, *command, "--help"], capture_output=True, text=True, check=True).stdout


def test_every_command_of_the_readme_works_as_it_stands(submit, cli, ray):
    submit("tasks.py", "1")
    ray.wait_paused(1)
    commands = readme_commands()
    assert [command[1] for command in commands] == ["serve", "targets", "doctor", "stack", "eval", "continue"]
    for _, name, *arguments in commands:
        if name == "serve":
            continue  # the fixture's bridge, on ports of its own
        result = cli(name, *arguments)
        # The README's expression names a variable of the reader's code.
        if name == "eval":
            assert "NameError" in result.stderr
        else:
            assert result.status == 0, result.stderr


def test_every_link_of_the_documentation_leads_somewhere():
    for page in [REPOSITORY / "README.md", *DOCS.glob("*.md"), REPOSITORY / "vscode-config" / "README.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_attach_attributes_agree_in_schema_and_documentation():
    text = (DOCS / "attach.md").read_text()
    rows = {name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert rows == set(SCHEMA["properties"])
    refused = re.search(r"Refused,.*?:(.*?)\n\n", text, re.DOTALL).group(1)
    assert set(re.findall(r"`(\w+)`", refused)) == set(SCHEMA["x-forbidden"])
    for name, attribute in SCHEMA["properties"].items():
        assert attribute["description"].endswith("."), name


def test_commands_agree_in_help_documentation_and_man_page():
    listed = re.findall(r"^  (\w+) {2,}\S", help_of(), re.MULTILINE)
    assert [name for name in listed if name != "h"] == COMMANDS
    table = (DOCS / "commands.md").read_text()
    man = (REPOSITORY / "man" / "ray-dap.1").read_text().replace("\\-", "-")
    for command in COMMANDS:
        assert f"| `{command}` |" in table
        assert re.search(rf"\b{command}\b", man)
    for command, option in [(c, o) for c in COMMANDS for o in re.findall(r"(--[a-z-]+)", help_of(c))]:
        if option not in ("--help", "--some-flag"):
            assert option in table, f"{command} {option} is not in docs/commands.md"
            variable = "RAY_DAP_" + option[2:].replace("-", "_").upper()
            is_question = option in ("--all", "--watch")  # what to list is no setting of an environment
            assert is_question or variable in help_of(command), f"{command} {option} has no {variable}"
