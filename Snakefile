"""Konvolut: an atlas of what every channel of a CNN looks for, for any timm model; rules in the order the data flow."""

import sys

from snakemake.utils import min_version

min_version("9.0")
sys.path.insert(0, f"{workflow.current_basedir}/workflow")
from konvolut.provenance import code_digest
from konvolut.asked.run import load_or_exit, read_or_exit
from konvolut.asked.sweep import BY_LAYER, BY_MODEL, per_attempt


configfile: read_or_exit("config/config.yaml", check=workflow.is_main_process)


sweep = load_or_exit(config, workflow.configfiles, lambda: checkpoints.plan.get().output, workflow.is_main_process)


wildcard_constraints:
    model=sweep.any_model,
    layer=r"(?!(index\.html|summary\.json|layers\.js)$)[^/]+",
    first=r"\d+",
    last=r"\d+",


rule all:
    default_target: True
    input:
        "results/report.tsv",
        "results/atlas/index.html",
        sweep.shards("atlas", "results/atlas/{model}/{layer}"),
        sweep.shards("kernels", "results/{model}/kernels.h5"),
        collect("results/{model}/units.csv", model=sweep.model),
        sweep.shards(BY_LAYER, "results/{model}/{technique}/{layer}/{first}-{last}.h5"),
        sweep.shards(BY_MODEL, "results/{model}/{technique}/{first}-{last}.h5"),


include: "workflow/rules/inspect.smk"  # what layers a model has
include: "workflow/rules/calibrate.smk"  # how fast this device is
include: "workflow/rules/precision.smk"  # which precision and batches are fastest here
include: "workflow/rules/plan.smk"  # which job does what
include: "workflow/rules/activations.smk"  # what the photographs do to each layer
include: "workflow/rules/examples.smk"  # which photographs excite each channel, which channels are alike
include: "workflow/rules/priors.smk"  # what photographs have in common, for one recipe
include: "workflow/rules/channels.smk"  # pictures of each channel from noise
include: "workflow/rules/objectives.smk"  # the same for one cell, against the channel, several that differ, MaCo
include: "workflow/rules/dreams.smk"  # photographs dreamed on for a channel
include: "workflow/rules/layer_dreams.smk"  # photographs dreamed on for a whole layer
include: "workflow/rules/accentuation.smk"  # photographs that show what a channel sees in them
include: "workflow/rules/caricature.smk"  # more of what a layer sees in a photograph
include: "workflow/rules/classes.smk"  # pictures of classes from noise
include: "workflow/rules/saliency.smk"  # where on a photograph a class is decided
include: "workflow/rules/patches.smk"  # what of a photograph the likeliest class needs
include: "workflow/rules/kernels.smk"  # the weights of convolutions
include: "workflow/rules/fooling.smk"  # photographs taken for something else
include: "workflow/rules/inversion.smk"  # what a layer still knows of a photograph
include: "workflow/rules/atlas.smk"  # the gallery
include: "workflow/rules/ends.smk"  # how a run begins and ends
