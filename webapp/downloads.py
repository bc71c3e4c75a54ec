"""A file to keep: what a door answers instead of a page."""

from collections.abc import Iterable

from flask import Response

# A file is for the disk: should a browser show it all the same, nothing in it may run or ask for anything.
FILE_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


def download(content: bytes | str | Iterable[bytes], media_type: str, name: str) -> Response:
    answer = Response(content, content_type=media_type, headers=FILE_HEADERS)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
