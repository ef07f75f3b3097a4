"""README's table of what becomes of a request on a hop is the one that the rules make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fit_table import LABELS, MODELS, OF_MODELS, OF_PLACES, of_model, rendered

README = Path(__file__).parents[2] / "README.md"
BETWEEN = re.compile(r"<!-- fit matrix -->\n+(.*?)\n*<!-- end of fit matrix -->", re.DOTALL)


def test_readme_has_the_table_that_the_rules_make():
    found = BETWEEN.search(README.read_text(encoding="utf-8"))
    assert found is not None, "README.md lacks the lines `<!-- fit matrix -->` and `<!-- end of fit matrix -->`"
    assert found[1].strip() == rendered().strip(), "write the output of tests/request/fit_table.py into README.md"


def test_every_row_has_its_label_and_each_label_its_row():
    assert {*OF_MODELS, *OF_PLACES} == LABELS.keys()
    written = rendered()
    assert all(label in written for label in LABELS.values())


@pytest.mark.parametrize(("column", "names"), [(column, names) for column, names in MODELS.items() if len(names) > 1])
def test_models_that_share_a_column_take_the_same(column, names):
    for feature in OF_MODELS:
        assert len({of_model(feature, [name]) for name in names}) == 1, feature
