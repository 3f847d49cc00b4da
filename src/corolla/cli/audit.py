"""`corolla audit`: checks labeled images for problems before training."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from corolla.cli.options import FLAG, ClassFolders, Device, Json, Quiet, check_device, usable_device
from corolla.cli.output import print_json
from corolla.cli.run_names import called
from corolla.errors import CorollaError
from corolla.paths import at
from corolla.text import count

EXAMPLES = (
    "Examples:\n"
    "corolla audit photos/\n"
    "corolla audit splits.csv --weights flowers --out audits/first\n"
    "corolla audit photos/ --weights efficientnet-lite0 --fix decided.csv"
)
PAGE, FIGURES = "audit.html", "audit.json"


def command(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Labeled images, in any format that `corolla train` accepts."),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_PATH",
            help="Also check the labels, with the features of this model: a run, any checkpoint, a name of "
            "`corolla weights list`, or efficientnet-lite0, -lite1 or -lite2.",
            show_default="labels are not checked",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for audit.html and audit.json: new, empty, or from an earlier audit; "
            "by default audit-NAME, named after the data.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Write a table for `corolla train`, with a decision for every file.",
            show_default="no table",
        ),
    ] = None,
    relabel: Annotated[
        bool,
        typer.Option("--relabel", metavar=FLAG, help="Let --fix apply the suggested labels; review audit.html first."),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            metavar="S", min=0, help="Seed of the cross-validation, and of the split by --fix if the data has none."
        ),
    ] = 0,
    class_folders: ClassFolders = None,
    json: Json = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Check your images for problems: files, (near-)duplicates, classes, sizes and, with --weights, labels.

    Writes one page with the images, audit.html, and all findings as audit.json, which --json also prints. Duplicates
    are listed with their splits and classes. Labels are checked by confident learning on cross-validated predictions;
    the most suspicious come first, with the suggested label.

    With --fix, a table is written too: unreadable files are left out; of files with the same bytes one is kept, or
    none if they have several classes; suggested labels are in a separate column. Your data is not changed.
    """
    if relabel and (fix is None or weights is None):
        raise CorollaError("--relabel needs --weights and --fix; give both")
    folder = out or Path(f"audit-{called(data)}")
    refuse_foreign(folder)
    refuse_inside(data, folder, "--out")
    if fix is not None:
        refuse_taken(fix)
        refuse_inside(data, fix, "--fix")

    check_device(device)

    from corolla.data.sources import glance

    glance(data)
    if weights is not None:
        from corolla.features.names import check_backbone

        check_backbone(weights, timm=False)

    from corolla.atomic import write_json
    from corolla.audit.decisions import decide, write_decisions
    from corolla.audit.page import write_page
    from corolla.audit.run_audit import audit
    from corolla.cli.audit_table import print_findings
    from corolla.progress import progress_for

    with progress_for(quiet) as progress:
        computing = usable_device(device) if weights is not None else "cpu"
        findings = audit(
            data, weights, seed=seed, class_folders=class_folders or "", device=computing, progress=progress
        )
    if json:
        print_json(findings.to_json())
    else:
        print_findings(findings)
    sys.stdout.flush()  # the findings are printed even if they cannot be written
    write_json(folder / FIGURES, findings.to_json())
    write_page(findings, folder / PAGE)
    if not quiet:
        print(f"audit: {folder / PAGE}", file=sys.stderr)
    if fix is not None:
        decisions = decide(findings, seed=seed, relabel=relabel)
        write_decisions(decisions, findings.root, fix)
        kept = sum(bool(decision.split) for decision in decisions)
        if not quiet:
            print(
                f"decisions: {fix}, {kept:,} of {count(len(decisions), 'file is', 'files are')} kept", file=sys.stderr
            )


def refuse_foreign(folder: Path) -> None:
    """`CorollaError` unless `folder` is new, empty, or has only an audit."""
    if folder.exists() and (not folder.is_dir() or {entry.name for entry in folder.iterdir()} - {PAGE, FIGURES}):
        raise CorollaError(f"{folder} holds something else than an audit; choose another --out (nothing was changed)")


def refuse_taken(fix: Path) -> None:
    """`CorollaError` unless `fix` can become a new CSV table."""
    if fix.suffix.lower() != ".csv":
        raise CorollaError(f"--fix {fix} should end in .csv, the one format it is written in")
    if fix.exists():
        raise CorollaError(f"{fix} is there already; give --fix another name (nothing was changed)")


def refuse_inside(data: str, place: Path, option: str) -> None:
    """`CorollaError` for a place inside the data, where the next training would read the audit or its table as data."""
    folder = at(data)
    if folder.is_dir() and place.resolve().is_relative_to(folder.resolve()):
        raise CorollaError(f"{place} is inside {data}, where a training would read it; give {option} another place")
