"""Static files under an address that changes with their content, so that browsers may keep them for ever.

There is no build step. At start-up the style sheets are joined in their order into `css/portal.css`, a
compressed copy is laid beside each text file, and all of it is served under `/static/<fingerprint>/`.
Relative addresses inside the style sheets go on working, and one edit changes them all.
"""

import gzip
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from flask import Flask
from whitenoise import WhiteNoise

SOURCE = Path(__file__).parent / "static"
STYLE_SHEETS = (
    "tokens",
    "base",
    "layout",
    "components",
    "billing",
    "app",
)  # print.css stays apart, media="print"
TEXT = {".css", ".js", ".svg", ".txt"}

log = logging.getLogger(__name__)


def fingerprint(folder: Path = SOURCE) -> str:
    """Twelve hexadecimal digits that change with any file of `folder`."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def lay_out(instance: Path, version: str) -> Path:
    """The folder to serve, made at the first start of this version and then found again."""
    served = instance / "static" / version
    if served.is_dir():
        return served
    try:
        return _make(served)
    except OSError as error:
        log.warning(
            "static files are laid out in a temporary folder, %s cannot be written: %s", served, error
        )
        return _make(Path(tempfile.mkdtemp(prefix="portal-static-")) / version)


def _make(served: Path) -> Path:
    served.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=served.parent))
    try:
        shutil.copytree(SOURCE, work, dirs_exist_ok=True)
        joined = "\n".join((SOURCE / "css" / f"{name}.css").read_text() for name in STYLE_SHEETS)
        (work / "css" / "portal.css").write_text(joined)
        _compress(path for path in work.rglob("*") if path.suffix in TEXT)
        work.chmod(0o755)
        work.rename(served)
    except OSError:
        shutil.rmtree(work, ignore_errors=True)
        if not served.is_dir():  # otherwise another worker was quicker, and made the same
            raise
    return served


def _compress(files: Iterable[Path]) -> None:
    for file in files:
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))


def init_app(app: Flask, instance: Path) -> None:
    version = fingerprint()
    folder = lay_out(instance, version)
    prefix = f"/static/{version}"
    app.add_url_rule(f"{prefix}/<path:filename>", endpoint="static", build_only=True)
    app.jinja_env.globals["asset"] = lambda path: f"{prefix}/{path}"
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=folder,
        prefix=prefix,
        immutable_file_test=lambda path, url: True,
        allow_all_origins=False,
        add_headers_function=_add_headers,
    )


def _add_headers(headers: object, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"  # type: ignore[index]
