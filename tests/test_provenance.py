"""Seeds and digests: the same for the same thing, different for different things, deaf to comments."""

import pytest

from konvolut import provenance


def test_a_unit_seed_depends_on_every_part_of_the_unit():
    base = (0, "model", "layer", 3, "channels", 0)
    changed = [(1, *base[1:])] + [(*base[:i], "other", *base[i + 1 :]) for i in range(1, 6)]
    seeds = {provenance.unit_seed(*names) for names in [base, *changed]}
    assert len(seeds) == 7
    assert provenance.unit_seed(*base) == provenance.unit_seed(*base)


def test_a_unit_seed_does_not_run_its_names_together():
    assert provenance.unit_seed(0, "ab", "c") != provenance.unit_seed(0, "a", "bc")


def test_a_unit_seed_is_known_for_ever():
    """A change of this number would change every picture of every atlas."""
    assert provenance.unit_seed(0, "m", "l", 3, "channels", 0) == 4028866205934805866


@pytest.fixture
def package(tmp_path, monkeypatch):
    def forget():
        provenance._parsed.cache_clear()
        provenance._data_beside.cache_clear()

    def write(**sources):
        for name, text in sources.items():
            (tmp_path / f"{name}.py").write_text(text)
        forget()
        return provenance.code_digest("top")

    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    yield write
    forget()


TOP = '"""Doc."""\nfrom konvolut import below\n\ndef double(x):\n    """Twice."""\n    return 2 * x\n'


def test_a_changed_formula_changes_the_digest(package):
    before = package(top=TOP, below="A = 1\n", aside="B = 1\n")
    assert package(top=TOP.replace("2 * x", "3 * x")) != before


def test_a_changed_comment_docstring_or_space_does_not(package):
    before = package(top=TOP, below="A = 1\n")
    assert package(top="# why\n" + TOP.replace("Twice.", "Two times.").replace("2 * x", "2*x")) == before


def test_a_changed_import_of_an_import_changes_the_digest(package):
    before = package(top=TOP, below="from konvolut.deep import D\n", deep="D = 1\n")
    assert package(deep="D = 2\n") != before


def test_a_changed_error_message_in_what_only_asks_does_not_nor_what_that_alone_imports(package, tmp_path):
    (tmp_path / "asked").mkdir()
    asking = "from konvolut import words\nE = 1\n"
    before = package(
        **{"top": TOP, "below": "from konvolut.asked import keys\n", "asked/keys": asking, "words": "W = 1\n"}
    )
    assert package(**{"asked/keys": asking.replace("1", "2")}) == before
    assert package(words="W = 2\n") == before


def test_what_python_and_editors_leave_beside_pages_does_not_count_but_pages_do(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    for folder in ("__pycache__", "static"):
        (tmp_path / "atlas" / folder).mkdir(parents=True)
    (tmp_path / "atlas/pages.py").write_text("A = 1\n")
    digests = []
    for name in ("pages.py", "__pycache__/pages.cpython-311.pyc.140", "static/.a.css.swp", "static/a.css"):
        (tmp_path / "atlas" / name).touch()
        for known in (provenance._parsed, provenance._data_beside):
            known.cache_clear()
        digests.append(provenance.code_digest("atlas.pages"))
    for known in (provenance._parsed, provenance._data_beside):
        known.cache_clear()
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_a_module_that_is_not_imported_does_not(package):
    before = package(top=TOP, below="A = 1\n", aside="B = 1\n")
    assert package(aside="B = 2\n") == before


def test_a_passport_holds_facts_and_versions_but_no_clock():
    passport = provenance.passport(layer="x", seed=1)
    assert passport["layer"] == "x"
    assert passport["versions"]["h5py"][0].isdigit()
    assert passport == provenance.passport(layer="x", seed=1)
