"""Uploads a run, or its conversion, to the Hugging Face Hub."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from corolla.errors import CorollaError, first_line
from corolla.paths import AnyPath, at
from corolla.progress import Progress
from corolla.run import Run
from corolla.weights import hub
from corolla.weights.loading import load_weights
from corolla.weights.packing import pack
from corolla.weights.writing import write_weights


def push(
    folder: AnyPath, repository: str, private: bool = False, to: str | None = None, progress: Progress | None = None
) -> str:
    """Upload a run's weights, config, calibration and card to `repository` (`OWNER/NAME`), created if needed.

    With `to`, upload the run converted for `timm` or `huggingface`, and its card. Nothing else of the run
    leaves the machine (`corolla.weights.packing`). `progress` receives the results of the verification. Returns
    the repository's address.
    Raises `CorollaError`, in one line, for an incomplete run, without a login, and if the Hub rejects the upload.
    """
    run, told = Run(at(folder)), progress or Progress()
    hub.check_name(repository)
    if to not in (None, "timm", "huggingface"):
        raise CorollaError(f"cannot push for {to!r}; choose timm or huggingface, or leave --to out")
    run.load_model()  # so that no damaged run is published
    hub.check_login(repository)
    with TemporaryDirectory() as temporary:
        public = Run(Path(temporary) / "public")
        if to is None:
            pack(run.folder, public.folder)
        else:
            written = write_weights(load_weights(run.folder), public.folder, to)
            for line in written.lines(repository, folder, to):
                told.note(line.replace(str(public.folder), repository))
            if run.card.is_file():
                shutil.copyfile(run.card, public.card)
        return send(public.folder, repository, private)


def send(folder: Path, repository: str, private: bool) -> str:
    """Upload the files of `folder` in one commit."""
    from huggingface_hub import HfApi, errors

    api = HfApi(endpoint=hub.endpoint(), library_name="corolla")
    try:
        api.create_repo(repository, private=private or None, exist_ok=True)
        if private and not api.model_info(repository).private:  # it existed before
            raise CorollaError(f"{repository} is public; make it private on the Hub, or give another name")
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload with corolla")
    except (OSError, ValueError, errors.HTTPError) as error:  # type: ignore[attr-defined]  # HTTPError is httpx's
        raise CorollaError(
            f"cannot push to {repository}: {first_line(error)}; check that your token may write there"
        ) from None
    return f"{hub.endpoint()}/{repository}"
