"""Reading ISO 20022 messages of any size: one element at a time, no entity, no network, no document type."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from webapp.adapters.bank_errors import BrokenStatement

Element = Any  # lxml's own


def elements(file: Path, name: str) -> Iterator[Element]:
    """Each element of that name, whatever the version of the message, with what stands before it in its parent.

    It is emptied once the caller asks for the next. Raises BrokenStatement.
    """
    with file.open("rb") as content:
        reading: Any = etree.iterparse(
            content,
            events=("end",),
            tag=f"{{*}}{name}",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        )
        is_first = True
        try:
            for _event, element in reading:
                if is_first:
                    _refuse_doctype(element.getroottree())
                    is_first = False
                yield element
                element.clear()
                before = element.getprevious()
                if before is not None and before.tag == element.tag:
                    element.getparent().remove(before)
        except etree.XMLSyntaxError as error:
            raise BrokenStatement("not_xml", error.lineno, str(error.msg)) from None
        if reading.root is not None:
            _refuse_doctype(reading.root.getroottree())


def _refuse_doctype(tree: Any) -> None:
    if tree.docinfo.doctype:
        raise BrokenStatement("doctype", 1)
