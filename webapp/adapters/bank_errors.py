"""Why a file of the bank is refused; the sentence for people is the door's."""


class BrokenStatement(Exception):
    """`code` is empty, unknown_format, not_xml, doctype, not_coda, cut, totals, other_account or amount.

    `line` is where, when it is known; `detail` is for the operator.
    """

    def __init__(self, code: str, line: int | None = None, detail: str = "") -> None:
        super().__init__(f"{code}, line {line}: {detail}" if line else f"{code}: {detail}")
        self.code, self.line, self.detail = code, line, detail
