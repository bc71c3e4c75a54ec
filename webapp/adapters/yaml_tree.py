"""The content of a YAML file held as values, in both directions: read by the checks of the file, written as the file.

Values are what JSON can say: mappings, lists, numbers, booleans, and texts as they would be typed in the file. A text is
checked as it stands, so that a wrong one can be kept and shown again.
"""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import FileMark
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from webapp.adapters.yaml_file import AMOUNT, Document

_NOWHERE = FileMark("", 0, 0, 0)
_TAG = "tag:yaml.org,2002:"


class Tree(Document):
    """Values read as the file that would hold them: by the same checks, under the same paths."""

    has_lines = False

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(Path())
        self.values = values

    def top(self) -> Node:
        return node_of(self.values)


_NOWHERE = FileMark("", 0, 0, 0)
_TAG = "tag:yaml.org,2002:"


def node_of(value: Any) -> Node:
    """Values as the nodes of the file that would hold them; numbers and amounts are written without quotes."""
    if isinstance(value, Mapping):
        pairs = [(node_of(str(key)), node_of(each)) for key, each in value.items()]
        return MappingNode(f"{_TAG}map", pairs, _NOWHERE, _NOWHERE)
    if isinstance(value, list | tuple):
        return SequenceNode(f"{_TAG}seq", [node_of(each) for each in value], _NOWHERE, _NOWHERE)
    tag, written = "str", str(value)
    if value is None:
        tag, written = "null", ""
    elif isinstance(value, bool):
        tag, written = "bool", str(value).lower()
    elif re.fullmatch(r"[1-9]\d*", written):
        tag = "int"
    elif AMOUNT.fullmatch(written):
        tag = "float"
    return ScalarNode(f"{_TAG}{tag}", written, _NOWHERE, _NOWHERE)


def written(values: Mapping[str, Any]) -> str:
    """The YAML file that holds these values: reading it gives them again."""
    yaml, stream = YAML(), StringIO()
    yaml.width, yaml.allow_unicode = 110, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.serialize(node_of(values), stream)
    return stream.getvalue()
