"""The commands. Each parses its arguments, calls the API and shows the result; what is heavy is imported when it is needed."""

from __future__ import annotations

import typer

from hwnas.cli import adapt, field, listing, measure, published, trust, walk
from hwnas.cli.audit import audit
from hwnas.cli.compare import compare
from hwnas.cli.explore import search, train
from hwnas.cli.finish import export, finetune, report
from hwnas.cli.verify import verify

app = typer.Typer(
    name="hwnas",
    help="Which network should I deploy on this device, and what exactly will it cost there?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _command in (
    walk.quickstart, measure.profile, field.kit, trust.check, measure.fit, adapt.transfer, measure.predict, train, audit, search, compare,
    verify, finetune, export, report, listing.devices, listing.spaces, listing.algorithms,
):  # fmt: skip
    app.command()(_command)
app.command("import")(published.import_)
