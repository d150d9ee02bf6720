"""The table of docs/diff.md is what both tools say on a real API server."""

import os
import re
from pathlib import Path

from cluster import diff_table
from cluster.team import Reconciler, Repository
from controlplane.fixtures import Kubectl

PAGE = Path(__file__).resolve().parents[2] / "docs" / "diff.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def test_the_table_in_the_docs_is_what_both_tools_say(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl
) -> None:
    ground = diff_table.Ground(reconciler, repository, kubectl)
    rows = [diff_table.measure(ground, edit) for edit in diff_table.EDITS]
    made = diff_table.table(rows)
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(TABLE.sub(lambda _: made, text), encoding="utf-8")
        return
    found = TABLE.search(text)
    assert found is not None
    assert made == found[0]
    assert all(row.llmkube.found == row.true and row.llmkube.false == 0 for row in rows)
