"""Downloads checkpoints from the Hugging Face Hub into its cache, and reports its errors in one line.

`HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_HOME` and `HF_TOKEN` have their usual meaning.
"""

import os
import re
from pathlib import Path

from corolla.errors import CorollaError, first_line
from corolla.progress import Progress
from corolla.weights.reading import IN_A_FOLDER, INDEX, WANTED, shards_in

PREFIX = "hf-hub:"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?", re.ASCII)
TIMEOUT = 10  # seconds
UNAUTHORIZED, FORBIDDEN = 401, 403
SETTINGS = ("config.json", "preprocessor_config.json")


def repository_in(name: str) -> str | None:
    """`OWNER/NAME` or `OWNER/NAME@REVISION` if `name` is one, with or without the prefix `hf-hub:`."""
    short = name.removeprefix(PREFIX)
    return short if REPOSITORY.fullmatch(short) else None


def endpoint() -> str:
    """The Hub's address, from the current `HF_ENDPOINT`."""
    from huggingface_hub import constants

    return os.environ.get("HF_ENDPOINT", constants.ENDPOINT).rstrip("/")


def cached(repository: str) -> Path | None:
    """The folder in the Hub's cache with the repository's weights, or None."""
    from huggingface_hub import try_to_load_from_cache

    name, _, revision = repository.partition("@")
    for file in IN_A_FOLDER:
        found = try_to_load_from_cache(name, file, revision=revision or None)
        if isinstance(found, str):
            return Path(found).parent
    return None


def fetch(repository: str, called: str, progress: Progress | None = None) -> Path:
    """The folder in the Hub's cache with the weights and settings of `repository`, all of one commit.

    Raises `CorollaError`, with what to do, if it does not exist, is not public, or cannot be reached.
    """
    from huggingface_hub import errors

    name = repository.partition("@")[0]
    if progress and cached(repository) is None:
        progress.note(f"fetching {called} from {endpoint()}/{name}")
    try:
        return complete(repository, called, local=not reachable())
    except (OSError, ValueError, errors.HTTPError) as error:  # type: ignore[attr-defined]  # HTTPError is httpx's
        by_hand = f"fetch {IN_A_FOLDER[0]} and config.json from {endpoint()}/{name}/tree/main into a folder"
        raise CorollaError(f"cannot fetch {called}: {reason(error, name)}, or {by_hand} and give its path") from None


def check_name(repository: str) -> None:
    """Raise `CorollaError` unless `repository` is a valid name to push to."""
    if not repository_in(repository) or "@" in repository or repository.startswith(PREFIX):
        raise CorollaError(f"{repository!r} is not a name on the Hub; give OWNER/NAME, such as me/flowers")


def check_login(repository: str) -> None:
    """Raise `CorollaError` unless a user is logged in and the Hub can be reached, to push to `repository`."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise CorollaError("you are not logged in to the Hub; make a token with write access, and run `hf auth login`")
    if not reachable():
        raise CorollaError(f"cannot push to {repository}: {endpoint()} cannot be reached; try again with a network")


def reachable() -> bool:
    """Whether the Hub can be reached; checked first, since its own client retries for long and prints each time."""
    from huggingface_hub import errors, get_session

    try:
        get_session().head(endpoint(), timeout=TIMEOUT)
    except (OSError, errors.HTTPError):  # type: ignore[attr-defined]
        return False
    return True


def complete(repository: str, called: str, local: bool) -> Path:
    """The folder with all files of a checkpoint; `local` looks only in the cache.

    `huggingface_hub.snapshot_download` would take every format that a repository offers, often twice the gigabytes,
    because its patterns have no order of preference. It also knows no index of shards, and offline it returns a folder
    with some of them missing if another library filled the cache file by file.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    name, _, revision = repository.partition("@")
    weights = next(filter(None, (file_of(name, file, revision, local) for file in IN_A_FOLDER)), None)
    if weights is None and local:
        raise LocalEntryNotFoundError("none of its files is cached")
    if weights is None:
        raise CorollaError(f"{called} on the Hub holds no {WANTED}, so corolla cannot read it")
    commit = weights.parent.name  # all further files must be of the same commit
    for file in SETTINGS:
        file_of(name, file, commit, local)
    for shard in shards_in(weights) if weights.name.endswith(INDEX) else ():
        if file_of(name, shard, commit, local) is None:
            raise LocalEntryNotFoundError(f"its {shard} is missing")
    return weights.parent


def file_of(repository: str, file: str, revision: str, local: bool) -> Path | None:
    """One file of a repository in the cache, or None if the repository does not have it."""
    from huggingface_hub import errors, hf_hub_download

    try:
        return Path(
            hf_hub_download(repository, file, revision=revision or None, endpoint=endpoint(), local_files_only=local)
        )
    except errors.EntryNotFoundError as error:
        if isinstance(error, errors.LocalEntryNotFoundError) and not local:
            raise
        return None


def reason(error: Exception, repository: str) -> str:
    """Why a download from the Hub failed, and what to do."""
    from huggingface_hub import errors

    status = status_of(error)
    if isinstance(error, errors.GatedRepoError):
        return gated(repository, known=status == FORBIDDEN)
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"there is no such file, and {endpoint()} has no repository {repository}, or it is private; correct the "
            "name or log in with `hf auth login`"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository} has no such revision; correct the part after the @"
    if status in (UNAUTHORIZED, FORBIDDEN):
        return (
            f"{endpoint()} does not let this login read {repository}; make a token that may read it, gated "
            f"repositories too, at {endpoint()}/settings/tokens and log in with `hf auth login`"
        )
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return f"it is not in the Hub's cache and {endpoint()} cannot be reached; try again with a network"
    return f"{first_line(error).rstrip('.')}; try again"


def gated(repository: str, known: bool) -> str:
    """What to do about a gated repository, whose terms users must accept; `known`: whether the user is logged in."""
    page, tokens = f"{endpoint()}/{repository}", f"{endpoint()}/settings/tokens"
    if known:
        return (
            f"{repository} is gated, and your login has no access to it yet; request it and accept the terms "
            f"at {page}, wait until it is granted, and check that the token may read gated repositories ({tokens})"
        )
    return (
        f"{repository} is gated: its owner requires your agreement; log in at {page} and accept the terms, then "
        f"make a token at {tokens} and log in here with `hf auth login`"
    )


def status_of(error: BaseException) -> int | None:
    """The HTTP status in an error of the Hub's client or in its cause."""
    told = [getattr(each, "response", None) for each in (error, error.__cause__)]
    return next((answer.status_code for answer in told if answer is not None), None)
