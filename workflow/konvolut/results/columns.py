"""The numbers of a unit in units.csv: what each column means, for the table and for the page about the atlas."""

QUANTILES = ("q01", "q10", "q25", "q50", "q75", "q90", "q99")
# What each column means; results/README.md says it too.
COLUMNS = {
    "layer": "as `named_modules()` prints it",
    "channel": "number in the layer",
    "photographs": "over how many photographs the numbers below were taken",
    **dict.fromkeys(("mean", "std", "max"), "of the unit's maxima over the photographs"),
    **dict.fromkeys(QUANTILES, "values below which 1, 10, 25, 50, 75, 90, 99 % of the maxima lie"),
    "active": "share of photographs with a maximum above 0",
    "dead": "1 where the maximum is the same on every photograph",
    "selectivity": "lifetime sparseness (Vinje and Gallant 2000) of the rectified maxima: 0 all photographs, 1 one",
    **dict.fromkeys(("class", "class_share"), "most frequent class of its best photographs, and its share of them"),
    **dict.fromkeys(("best", "best_value"), "the photograph that excites it most, and its maximum there"),
    **dict.fromkeys(("inside", "inside_correlation"), "most alike unit of the layer, LAYER:CHANNEL"),
    **dict.fromkeys(("across", "across_correlation"), "most alike unit of other layers, LAYER:CHANNEL"),
    **dict.fromkeys(("twin", "twin_correlation"), "most alike unit of other models, MODEL LAYER:CHANNEL"),
    **dict.fromkeys(("picture_max", "picture_held_out"), "maximum on its picture, clean and under held-out transforms"),
    "picture_deviations": "the clean maximum in standard deviations above the mean over photographs",
    "picture_verdict": "good, weak or dead, as the atlas judges it",
    "picture_above": "share of photographs whose maximum lies below the clean maximum, within a bin of the histogram",
    "picture_path": "mean over the layers below of the way of the picture: 1 as its best photographs, 0 as any",
    "picture_twins": "mean deviations of its twins on the picture",
}
