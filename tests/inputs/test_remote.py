import pytest

from corolla.inputs.remote import protocol, reason


@pytest.mark.parametrize(
    ("word", "kind"),
    [("a/b.jpg", None), ("S3://box/x", "s3"), ("https://x/y", "https"), ("C:/x", None), ("C://x", None), ("x:y", None)],
)
def test_the_protocol_of_a_word(word: str, kind: str | None) -> None:
    assert protocol(word) == kind


def test_what_is_not_installed_is_named() -> None:
    assert reason(ImportError("Install s3fs"), "s3://x") == "it needs more: pip install 'corolla[s3]'"
    assert reason(ImportError("Install gcsfs"), "gs://x") == "it needs more: Install gcsfs"


def test_who_may_not_read_is_told_where() -> None:
    assert reason(PermissionError("Access Denied"), "s3://x") == "the login was refused (Access Denied)"
    assert reason(PermissionError(13, "Permission denied"), "/root/x.tar") == "no permission to read it"
