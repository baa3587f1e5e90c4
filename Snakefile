"""Konvolut: an atlas of what every channel of a CNN looks for, for any timm model.

The data flow from the top down:

    models.tsv images.tsv config.yaml
      inspect      what layers a model has                      -> results/{model}/layers.csv, model.json
      plan         which job does what                          -> results/plan.tsv
      activations  what the photographs do to each layer        -> results/{model}/activations/*.h5
      examples     which photographs excite each channel        -> results/{model}/examples.h5
      channels     pictures of each channel from noise          -> results/{model}/channels/{layer}/*.h5
      dreams       photographs dreamed on for a channel         -> results/{model}/dreams/{layer}/*.h5
      saliency     where on a photograph a class is decided     -> results/{model}/saliency/*.h5
      atlas        the gallery                                  -> results/atlas/index.html
"""

import sys

from snakemake.utils import min_version

min_version("9.0")

sys.path.insert(0, f"{workflow.basedir}/workflow")

from konvolut.provenance import code_digest
from konvolut.sweep import load_or_exit


configfile: "config/config.yaml"


sweep = load_or_exit(config, lambda: checkpoints.plan.get().output, check=workflow.is_main_process)


wildcard_constraints:
    model=r"(?!atlas/|logs/)[^/]+",
    layer=r"(?!index\b)[^/]+",
    first=r"\d+",
    last=r"\d+",


localrules:
    all,
    plan,


rule all:
    default_target: True
    input:
        "results/atlas/index.html",


include: "workflow/rules/inspect.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/channels.smk"
include: "workflow/rules/dreams.smk"
include: "workflow/rules/saliency.smk"
include: "workflow/rules/atlas.smk"
