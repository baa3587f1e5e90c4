"""Exactly what a change needs is computed again, counted in jobs; and of a shard only the units that are new."""

import os

import h5py
import pytest
import yaml

from tiny_sweep import CONFIG, LAYERS, LITTLE, change, copy_checkout, jobs_of, snakemake

# Pages and tables that look at everything.
ALL_TOGETHER = {"all", "atlas", "atlas_images", "atlas_model", "atlas_layer", "atlas_classes", "alike", "trust"}
ALL_TOGETHER |= {"units", "plan_report", "atlas_evidence"}


def needed(folder) -> dict[str, int]:
    """Jobs by rule, but for pages and tables, once the plan is made."""
    run = snakemake(folder, "--until", "plan")
    assert run.returncode == 0, run.stderr
    return {rule: count for rule, count in jobs_of(folder).items() if rule not in ALL_TOGETHER}


@pytest.fixture
def clone(tmp_path):
    """The checkout anew, every file as young as can be."""
    return copy_checkout(tmp_path / "clone")


def test_a_moved_folder_a_fresh_clone_and_comments_need_nothing(sweep, clone):
    (sweep / "config.yaml").write_text("# anew\n" + (sweep / "config.yaml").read_text())
    code = clone / "workflow/konvolut/techniques/saliency.py"
    code.write_text(code.read_text().replace("from konvolut", "# why\nfrom konvolut", 1))
    assert jobs_of(sweep, checkout=clone) == {}


def test_changed_code_needs_the_techniques_that_use_it(sweep, clone):
    code = clone / "workflow/konvolut/techniques/saliency.py"
    code.write_text(code.read_text() + "\n\nANOTHER = 1\n")
    assert {rule: n for rule, n in jobs_of(sweep, checkout=clone).items() if rule not in ALL_TOGETHER} == {
        "saliency": 1
    }


def test_changed_code_needs_the_pictures_though_their_precision_is_measured_again_too(sweep, clone):
    """Snakemake overlooks jobs that wait for another by an `ancient` input alone."""
    code = clone / "workflow/konvolut/network/streamline.py"
    code.write_text(code.read_text() + "\n\nANOTHER = 1\n")
    jobs = jobs_of(sweep, checkout=clone)
    assert "plan" not in jobs, "what follows the plan would not be known"
    assert (jobs["precision"], jobs["channels"], jobs["dreams"]) == (1, len(LAYERS), len(LAYERS))
    assert {"units", "atlas_classes", "atlas_images"} <= jobs.keys()


def test_one_more_model_needs_its_own_jobs_only(sweep):
    before = jobs_by_technique(sweep)
    with (sweep / "models.tsv").open("a") as file:
        file.write("other\ttest_efficientnet\trandom:2\n")
    jobs = needed(sweep)
    assert [jobs.pop(rule) for rule in ("identify", "precision")] == [1, 1]
    assert jobs == before


def jobs_by_technique(folder) -> dict[str, int]:
    """Jobs of a plan for one model."""
    rows = [line.split("\t")[0] for line in (folder / "results/plan.tsv").read_text().splitlines()[1:]]
    counts = {rule: rows.count(rule) for rule in dict.fromkeys(rows) if rule not in ALL_TOGETHER}
    return counts | ({"kernels": 1} if "kernels" in counts else {})


def test_other_names_of_classes_need_what_tells_them_only(sweep):
    (sweep / "names.txt").write_text("".join(f"name {number}\n" for number in range(1000)))
    (sweep / "models.tsv").write_text("id\ttimm_name\tweights\tclasses\ntiny\ttest_efficientnet\trandom:1\tnames.txt\n")
    before = jobs_by_technique(sweep)
    jobs = needed(sweep)
    naming = ("activations", "classes", "saliency", "patches", "fooling")
    assert jobs == {rule: before[rule] for rule in (*naming, "examples")}
    run = snakemake(sweep)
    assert run.returncode == 0, run.stderr
    assert jobs_of(sweep) == {}, "one run is enough"
    with h5py.File(next((sweep / "results/tiny/activations").glob("*.h5"))) as file:
        told = file["predictions/name"].asstr()[0]
        assert list(told) == [f"name {number}" for number in file["predictions/class"][0]]
    columns = (sweep / "results/atlas/tiny/classifier/columns.js").read_text(encoding="utf-8")
    assert '"name 7"' in columns


def test_one_more_photograph_needs_a_look_at_it_and_nothing_of_units(sweep):
    with (sweep / "images.tsv").open("a") as file:
        file.write("gravel\tpackage:skimage/data/gravel.png\n")
    measured = {"priors": 1, "maco": 1}  # the strength of waves in photographs, and the pictures made from it
    assert needed(sweep) == {"activations": 1, "examples": 1, "saliency": 1} | measured


def test_one_more_layer_needs_its_own_units(sweep):
    change(sweep, layers=[*LAYERS, "blocks.2.0"])
    jobs = needed(sweep)
    assert jobs == {"channels": 1, "dreams": 1, "activations": 1, "examples": 1}


def test_one_more_layer_rewrites_its_own_page_and_the_indexes_only(sweep):
    change(sweep, layers=[*LAYERS, "blocks.2.0"])
    before = pages_of(sweep)
    run = snakemake(sweep)
    assert run.returncode == 0, run.stderr
    after = pages_of(sweep)
    assert {layer for layer in after if after[layer] != before.get(layer)} == {"blocks.2.0"}
    assert jobs_of(sweep) == {}
    assert "blocks.2.0" in (sweep / "results/atlas/tiny/index.html").read_text()


def test_other_evidence_of_one_layer_rewrites_its_page_only(sweep):
    before = pages_of(sweep)
    with h5py.File(sweep / "results/tiny/examples.h5", "a") as file:
        file["layers/blocks.1.0/mean"][1] += 1
    run = snakemake(sweep)
    assert run.returncode == 0, run.stderr
    after = pages_of(sweep)
    assert {layer for layer in after if after[layer] != before[layer]} == {"blocks.1.0"}


def test_one_more_photograph_rewrites_every_page_of_a_layer(sweep):
    with (sweep / "images.tsv").open("a") as file:
        file.write("gravel\tpackage:skimage/data/gravel.png\n")
    before = pages_of(sweep)
    run = snakemake(sweep)
    assert run.returncode == 0, run.stderr
    after = pages_of(sweep)
    assert {layer for layer in after if after[layer] != before[layer]} == set(LAYERS)
    assert jobs_of(sweep) == {}, "one run is enough"


def test_one_run_is_enough_for_one_more_model_and_other_layers(sweep):
    with (sweep / "models.tsv").open("a") as file:
        file.write("other\ttest_resnet\trandom:2\n")
    (sweep / "config.yaml").write_text(yaml.safe_dump(LITTLE | {"layers": ["*[12].0", "kind:Linear"]}))
    run = snakemake(sweep)
    assert run.returncode == 0, run.stderr
    assert jobs_of(sweep) == {}


def test_one_run_is_enough_for_fewer_examples(sweep):
    change(sweep, examples={"keep": 10, "top": 4})
    run = snakemake(sweep)
    assert run.returncode == 0, run.stderr
    assert jobs_of(sweep) == {}


def pages_of(folder) -> dict[str, int]:
    """When the page of each layer was written."""
    return {
        path.stem: path.stat().st_mtime_ns
        for path in (folder / "results/atlas/tiny").glob("*.html")
        if path.stem != "index"
    }


def test_more_channels_need_the_new_units_only(sweep):
    change(sweep, channels={"channels": "first:5"})
    assert needed(sweep) == {"channels": len(LAYERS)}
    run = snakemake(sweep, "--", "results/tiny/channels/blocks.1.0/0-4.h5")
    assert run.returncode == 0, run.stderr
    log = (sweep / "results/logs/channels/tiny/blocks.1.0/0-4.log").read_text()
    assert "5/5 done (3 of them before)" in log


def test_one_more_photograph_to_dream_of_needs_its_own_dreams_though_their_file_keeps_its_name(sweep):
    change(sweep, dreams={"images": ["coffee", "rocket"]})
    assert needed(sweep) == {"dreams": len(LAYERS)}
    run = snakemake(sweep, "--", "results/tiny/dreams/blocks.1.0/1-1.h5")
    assert run.returncode == 0, run.stderr
    log = (sweep / "results/logs/dreams/tiny/blocks.1.0/1-1.log").read_text()
    assert "2/2 done (1 of them before)" in log
    assert list((sweep / "results").glob("**/*.part")) == [], "second names go with the run"


def test_another_parameter_of_a_recipe_needs_its_technique_only(sweep):
    change(sweep, dreams={"learning_rate": 0.5})
    assert needed(sweep) == {"dreams": len(LAYERS)}


def test_other_weights_need_all_of_their_model_but_its_census(sweep):
    models = sweep / "models.tsv"
    models.write_text(models.read_text().replace("random:1", "random:9"))
    jobs = needed(sweep)
    assert jobs["identify"] == 1
    assert "inspect" not in jobs
    techniques = set(yaml.safe_load((sweep / "config.yaml").read_text())) & set(jobs_by_technique(sweep))
    assert techniques <= set(jobs)


def test_touched_files_need_nothing(sweep):
    for path in (sweep / "config.yaml", sweep / "images.tsv", sweep / "results/tiny/model.json"):
        os.utime(path)
    assert jobs_of(sweep) == {}
    assert CONFIG["layers"] == LAYERS


def test_snakemakes_report_holds_the_summary(sweep):
    run = snakemake(sweep, "--report", "report.html")
    assert run.returncode == 0, run.stderr
    page = (sweep / "report.html").read_text()
    for name in ("results/report.tsv", "results/atlas/tiny/summary.json"):
        assert name in page
