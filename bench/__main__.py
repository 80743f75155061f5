"""`python -m bench NAME [--json]`: measure, and print a table or one JSON object."""

import json
import sys
from pathlib import Path

import click

from bench import BENCHES, bench_builds, render
from softlanding.errors import Exit, SoftlandingError


@click.command("bench", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name")
@click.option(
    "--beside",
    metavar="PYTHON",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only beside another build of this project: the python of its .venv (messaging).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the last bears the result.")
def bench(name: str, beside: Path | None, as_json: bool) -> None:
    """Measure this system beside its peers in one run: messaging, idle, recovery, planner, or all."""
    if name != "all" and name not in BENCHES:
        raise click.UsageError(f"there is no bench '{name}': choose all, {', '.join(BENCHES)}")
    if beside is not None and name != "messaging":
        raise click.UsageError("--beside is for `python -m bench messaging`")

    def tell(line: str) -> None:
        click.echo(json.dumps({"progress": line}, ensure_ascii=False) if as_json else line)

    benches = BENCHES if beside is None else {"messaging": bench_builds(beside)}
    try:
        results = {each: benches[each](tell) for each in (BENCHES if name == "all" else [name])}
    except SoftlandingError as error:
        click.echo(f"Softlanding: {error}", err=True)
        sys.exit(Exit.REFUSED)
    for each, result in results.items() if not as_json else ():
        click.echo(f"\n{each}\n{render(result)}")
    if as_json:
        click.echo(json.dumps(results.get(name, results), ensure_ascii=False))


if __name__ == "__main__":
    bench()
