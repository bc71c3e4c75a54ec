"""The official check of an electronic invoice: the XSD of UBL, then the Schematron rules of CEN and of Peppol.

The rules are a folder of the operator's (PEPPOL_RULES_FOLDER), replaced when OpenPeppol publishes new ones:
`xsd/maindoc/UBL-Invoice-2.1.xsd` and its CreditNote, and every `.sch` of `sch/`. Each .sch becomes one XSLT 3 sheet,
which SaxonC runs. Loading takes a second and 200 MB: ask for the rules where documents are sent, not on every page.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lxml import etree
from saxonche import PySaxonApiError, PySaxonProcessor

SCH = "{http://purl.oclc.org/dsdl/schematron}"
XSL_URI = "http://www.w3.org/1999/XSL/Transform"
XSL = f"{{{XSL_URI}}}"
XSDS = {"Invoice": "UBL-Invoice-2.1.xsd", "CreditNote": "UBL-CreditNote-2.1.xsd"}
VERSION = re.compile(r"(?:release|[Vv]ersion)\s+(\d+\.\d+\.\d+)")
QUALIFIED = re.compile(r"Q\{[^}]*\}")


class RulesUnusable(Exception):
    """The folder does not hold rules that can be run. The text says which file and why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of a document. `flag` is fatal or warning; `location` a path such as /Invoice[1]/cbc:Note[2]."""

    rule: str
    flag: str
    location: str
    text: str

    @property
    def is_fatal(self) -> bool:
        return self.flag == "fatal"


class Rules:
    """The rules of one folder, ready to run. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        sources = sorted((folder / "sch").glob("*.sch"))
        if not sources:
            raise RulesUnusable(f"{folder / 'sch'} holds no .sch file")
        self.version = ", ".join(f"{path.stem} {_version(path.read_bytes())}" for path in sources)
        self._lock = threading.Lock()
        self._saxon = PySaxonProcessor(license=False)
        try:
            self._schemas = {
                root: etree.XMLSchema(file=str(folder / "xsd" / "maindoc" / name))
                for root, name in XSDS.items()
            }
            compiler = self._saxon.new_xslt30_processor()
            self._sheets = [
                compiler.compile_stylesheet(stylesheet_text=stylesheet(path.read_bytes())) for path in sources
            ]
        except (OSError, etree.LxmlError, PySaxonApiError) as wrong:
            raise RulesUnusable(f"{folder}: {wrong}") from wrong

    def check(self, document: bytes) -> tuple[Finding, ...]:
        """Everything the rules say of `document`, fatal or not; nothing when it is right.

        What is not UBL stops at the XSD. A rule that cannot be worked out on odd data is itself a fatal finding.
        """
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
        )
        try:
            root = etree.fromstring(document, parser)
        except etree.XMLSyntaxError as wrong:
            return (Finding("XML", "fatal", "/", str(wrong)),)
        schema = self._schemas.get(etree.QName(root).localname)
        if schema is None:
            return (Finding("XSD", "fatal", "/", f"{root.tag} is neither an Invoice nor a CreditNote"),)
        with self._lock:  # lxml keeps the error log on the schema
            if not schema.validate(root):
                return tuple(
                    Finding("XSD", "fatal", error.path or "/", error.message)
                    for error in schema.error_log  # type: ignore[attr-defined]
                )
            text = etree.tostring(root, encoding="unicode")  # without any DOCTYPE
            return tuple(finding for sheet in self._sheets for finding in self._run(sheet, text))

    def _run(self, sheet: object, text: str) -> Iterator[Finding]:
        try:
            node = self._saxon.parse_xml(xml_text=text)
            found = sheet.transform_to_string(xdm_node=node)  # type: ignore[attr-defined]
        except PySaxonApiError as wrong:
            yield Finding("SCHEMATRON", "fatal", "/", f"a rule could not be worked out: {wrong}")
            return
        for finding in etree.fromstring(found.encode()):
            location = QUALIFIED.sub("", finding.get("location", "/"))
            text = " ".join((finding.text or "").split())
            yield Finding(finding.get("id", ""), finding.get("flag", "fatal"), location, text)


@lru_cache(maxsize=2)
def _rules(folder: Path, fingerprint: str) -> Rules:
    return Rules(folder)


def rules_of(folder: Path | None) -> Rules | None:
    """The rules of the folder, made once per process and again when a file of `sch` changes; None without a folder.

    Raises RulesUnusable.
    """
    if folder is None:
        return None
    digest = hashlib.sha256()
    for path in sorted((folder / "sch").glob("*.sch")):
        digest.update(path.read_bytes())
    return _rules(folder, digest.hexdigest())


def _version(source: bytes) -> str:
    found = VERSION.search(source[:4000].decode("utf-8", "replace"))
    return found[1] if found else hashlib.sha256(source).hexdigest()[:12]


# ── From Schematron to XSLT ──────────────────────────────────────────────────────────────────────────────────────


def stylesheet(source: bytes) -> str:
    """The XSLT 3 sheet of a Schematron file that uses ns, let, pattern, rule, assert, report and xsl:function.

    A pattern is a mode; in it the first rule that matches a node wins, as templates of falling priority do. The
    result is <findings>, one <finding id flag location> for each assert that fails and each report that holds.
    """
    schema = etree.fromstring(source, etree.XMLParser(remove_comments=True, resolve_entities=False))
    prefixes = {ns.get("prefix", ""): ns.get("uri", "") for ns in schema.iterfind(f"{SCH}ns")}
    sheet = etree.Element(f"{XSL}stylesheet", {"version": "3.0"}, nsmap={**prefixes, "xsl": XSL_URI})
    for node in schema:
        if node.tag == f"{XSL}function":
            sheet.append(node)
    for let in (*schema.iterfind(f"{SCH}let"), *schema.iterfind(f"{SCH}pattern/{SCH}let")):
        sheet.append(_variable(let))
    start = etree.SubElement(sheet, f"{XSL}template", {"match": "/"})
    findings = etree.SubElement(start, "findings")
    for number, pattern in enumerate(schema.iterfind(f"{SCH}pattern")):
        mode = f"pattern-{number}"
        etree.SubElement(sheet, f"{XSL}mode", {"name": mode, "on-no-match": "shallow-skip"})
        etree.SubElement(findings, f"{XSL}apply-templates", {"select": "/", "mode": mode})
        rules = pattern.findall(f"{SCH}rule")
        for place, rule in enumerate(rules):
            sheet.append(_template(rule, mode, priority=len(rules) - place))
    return etree.tostring(sheet, encoding="unicode")


def _template(rule: etree._Element, mode: str, priority: int) -> etree._Element:
    template = etree.Element(
        f"{XSL}template", {"match": rule.get("context", ""), "mode": mode, "priority": str(priority)}
    )
    for node in rule:
        if node.tag == f"{SCH}let":
            template.append(_variable(node))
        elif node.tag in (f"{SCH}assert", f"{SCH}report"):
            test = node.get("test", "")
            failed = f"not({test})" if node.tag == f"{SCH}assert" else test
            branch = etree.SubElement(template, f"{XSL}if", {"test": failed})
            flag = node.get("flag", "fatal")
            finding = etree.SubElement(
                branch, "finding", {"id": node.get("id", ""), "flag": flag, "location": "{path()}"}
            )
            finding.text = "".join(map(str, node.itertext())).replace("{", "(").replace("}", ")")
    etree.SubElement(template, f"{XSL}apply-templates", {"select": "@* | node()", "mode": mode})
    return template


def _variable(let: etree._Element) -> etree._Element:
    return etree.Element(f"{XSL}variable", {"name": let.get("name", ""), "select": let.get("value", "")})
