"""The HDF5 layout of every result, drawn here: written and read as the plain objects of contents.py.

Every file carries the root attributes `format` ("konvolut/1"), `kind` and `passport` (JSON). Text is UTF-8.
Files appear whole or not at all: they are written under a temporary name and renamed.

    results/{model}/activations/{first}-{last}.h5              kind = activations, one row per photograph
    results/{model}/activations.h5                             of the same kind, all photographs: its datasets are
    │                                                          virtual (no evidence), their rows lie in the files above
    ├── image                   (n,) str       keys of the photographs, in the order of the image sheet
    ├── label                   (n,) str       labels of the sheet ("" where none)
    ├── sha256                  (n,) str       of the photographs' files
    ├── crop                    (n, 4) float32 what the model saw of the upright photograph: left, top, right, bottom
    │                                          in 0..1 (below 0 or above 1 where it was padded)
    ├── predictions/class       (n, 5) int32   the five likeliest classes
    ├── predictions/probability (n, 5) float32 their probabilities
    ├── predictions/name        (n, 5) str     their names
    ├── maps_of                 (m,) str       keys of the photographs whose whole maps are kept
    ├── problem                 (p,) str       sentences on the photographs that were left out
    └── layers/{layer}/         a layer's name is used verbatim
        ├── maps                (m, C, H, W) float16 | float32  whole feature maps of the photographs in maps_of
        ├── max                 (n, C) float32 maximum over H, W
        ├── mean                (n, C) float32 mean over H, W
        ├── cell                (n, C, 2) int32 row and column of the (first) maximum
        └── evidence/           what the rule examples merges instead of reading all that stands above
            ├── best/           image (rows of this file), value, cell: (C, k), best first
            ├── moments/        count; (C,) float64 mean, squares (sum of (x - mean)^2), low, high, positive (how many),
            │                   rectified and rectified_squares (sums of max(x, 0) and of its square)
            └── sketch/         see sketches.py: code, count, image, value (C, b), cell (C, b, 2), dropped (C,)

    results/{model}/channels/{layer}/{first}-{last}.h5         kind = channels, start is "noise"
    results/{model}/neuron/{layer}/{first}-{last}.h5           kind = neuron
    results/{model}/negative/{layer}/{first}-{last}.h5         kind = negative
    results/{model}/diversity/{layer}/{first}-{last}.h5        kind = diversity, start of the second one is "noise-2"
    results/{model}/maco/{layer}/{first}-{last}.h5             kind = maco
    results/{model}/dreams/{layer}/{first}-{last}.h5           kind = dreams, start is the key of a photograph
    results/{model}/accentuation/{layer}/{first}-{last}.h5     kind = accentuation, as dreams
    └── pictures/{start}/
        ├── channel             (n,) int32
        ├── picture             (n, H, W, 3) uint8, sRGB
        ├── step                (m,) int32     after how many steps each intermediate was kept
        ├── intermediate        (n, m, H, W, 3) uint8
        ├── curve               (n, steps + 1) float32  the objective before each step and at the end, less what
        │                                      likeness of variants takes off it
        ├── activation          (n, 4) float32 of the finished 8-bit picture: clean mean, clean max, mean and max under
        │                                      held-out transforms (medians)
        ├── attempt             (n,) int32     0, or how many retries of the ladder it took
        └── transparency        (n, H, W) float32  recipe maco alone: sum over the steps of |d objective / d picture|

    results/{model}/layer_dreams/{layer}/{first}-{last}.h5     kind = layer_dreams
    results/{model}/caricature/{layer}/{first}-{last}.h5       kind = caricature
    └── {kind}/{image}/
        ├── input, picture      (H, W, 3) uint8        the photograph at its own aspect, and the layer's picture
        ├── step, intermediate  (m,) int32, (m, H, W, 3) uint8
        ├── curve               (steps + 1,) float32   with octaves: above that of the undreamt picture of their size
        └── attempt             int

    results/{model}/classes/{first}-{last}.h5                  kind = classes
    └── classes/{class}-{regularisation}/
        ├── target_class, target_name, regularisation
        ├── picture             (H, W, 3) uint8
        ├── probability         float          of the class, for the finished 8-bit picture
        ├── steps               int            until it was enough, or all
        ├── step, intermediate  (m,) int32, (m, H, W, 3) uint8
        ├── curve               (steps + 1,) float32   the class' score less the regularisation
        ├── probabilities       (steps + 1,) float32   of the class, as the model saw the picture at each step
        ├── activation          (4,) float32   the class' score: clean mean and max, both under held-out transforms
        ├── held_out            (2,) float32   under held-out transforms: the median of the class' probability, and the
        │                                      share of them under which it is the likeliest
        └── attempt             int            0, or how many retries of the ladder it took

    results/priors.h5                                          kind = priors, for the recipe maco
    ├── magnitude               (C, S, S // 2 + 1) float32     mean |rfft2| of the photographs' independent colours
    ├── covariance              (C, C) float32                 of the colours in 0..1
    └── mean                    (C,) float32

    results/{model}/saliency/{first}-{last}.h5                 kind = saliency, one row per photograph
    ├── image                   (n,) str
    ├── input                   (n, H, W, 3) uint8      what the model saw
    ├── target/class            (n, k) int32
    ├── target/name             (n, k) str
    ├── target/probability      (n, k) float32
    ├── refused/{method}        str            why the method means nothing for this model; it has no maps then
    └── maps/{method}           (n, k, H, W) float32, of the logit for the normalised input, see attributions.py
                                (n, k, C, H, W) for gradient, guided_backpropagation and deconvnet

    results/{model}/patches/{first}-{last}.h5                  kind = patches
    └── patches/{image}/
        ├── picture             (H, W, 3) uint8        the photograph as the model saw it, at its own aspect
        ├── target_class, target_name, probability     the likeliest class of the whole photograph
        ├── side                int            of the squares, px
        ├── corner              (n, 2) int32   top and left of every square that was hidden, px
        ├── drop                (n,) float32   of the class' probability
        └── best                (k,) int32     rows of the largest drops, largest first

    results/{model}/kernels.h5                                 kind = kernels
    └── kernels/{layer}/weight  (out, in / groups, h, w) float32

    results/{model}/fooling/{first}-{last}.h5                  kind = fooling
    └── fooling/{image}/
        ├── input               (H, W, 3) uint8        what the model saw
        ├── predicted_class, predicted_name            what it took the photograph for
        ├── target_class, target_name  (t,) int32, str what it was to be taken for
        ├── picture             (t, H, W, 3) uint8     the changed photographs
        ├── probability, before (t,) float32   of the target, for the changed 8-bit picture and for the photograph
        ├── steps               (t,) int32
        ├── l2, linf            (t,) float32   change of the 8-bit picture, colours in 0..1
        └── curve               (t, most steps + 1) float32    the target's probability on the way, NaN after the end

    results/{model}/inversion/{layer}/{first}-{last}.h5        kind = inversion
    └── inversion/{image}/
        ├── input, picture      (H, W, 3) uint8        what the model saw, and the picture with its features
        ├── relative_error      float          |features(picture) - features(input)| / |features(input)|
        └── curve               (steps + 1,) float32   the loss before each step and at the end

    results/{model}/alike.h5                                   kind = alike
    ├── place/model, place/layer, place/units  (p,)   all layers of all models of the sweep; look-alikes count them
    └── layers/{layer}/{relation}/             inside (the layer), across (other layers of the model), twins/{model}
        ├── place, unit         (C, 10) int32  where the most alike unit is, most alike first; -1: nobody
        ├── correlation         (C, 10) float32        of the pooled activations over all photographs
        └── chance              float          what the best of as many unrelated units would reach

    results/{model}/trust.h5                                   kind = trust
    └── trust/{layer}/
        ├── channel             (n,) int32
        ├── below               (l,) str       layers before this one
        ├── path                (n, l) float32 1: as alike to the best photographs there as they are to each other, 0:
        │                                      as they are to any; NaN where these do not differ
        ├── similarity          (n, l, 3)      what path is made of: picture with best, best with best, best with any
        ├── relation            (t,) str       inside, across, and models: of each the most alike unit
        ├── twin_model, twin_layer     (p,) str        places that twin_place counts
        ├── twin_place, twin_unit      (n, t) int32    -1: none above chance
        ├── twin_correlation    (n, t) float32 over the photographs
        └── twin_reached, twin_best, twin_deviations   (n, t) float32  the twin's maximum on the picture, on its best
                                               photograph, and the first in its standard deviations over photographs

    results/{model}/examples.h5                                kind = examples
    ├── image                   (n,) str       keys of the photographs that are among anybody's examples
    ├── photographs             int            how many there were
    ├── classes                 (c,) str       of the photographs: their labels where these repeat, else predictions
    ├── classes_are             str            "labels", "predictions" or "" (neither is known)
    └── layers/{layer}/
        ├── image               (C, k) int32   rows of /image, best first
        ├── value               (C, k) float32 their maxima
        ├── cell                (C, k, 2) int32        row and column of the maximum in the feature map
        ├── box                 (C, k, 4) float32  receptive field of the cell (see effective_px) in the whole, upright
        │                                          photograph: left, top, right, bottom in 0..1, clipped to it
        ├── mean, std, max      (C,) float32   of the unit's maxima over the photographs
        ├── active              (C,) float32   share of photographs with a maximum > 0
        ├── histogram           (C, 24) int32  of the unit's maxima; exact up to 256 different maxima, else a maximum
        │                                      may stand in a neighbouring bin
        ├── edges               (C, 25) float32        of the histogram's bins
        ├── quantiles           (C, 7) float32 below which .01, .1, .25, .5, .75, .9, .99 of the maxima lie
        ├── dead                (C,) bool      the maximum is the same on every photograph
        ├── selectivity         (C,) float32   0: all photographs excite it alike, 1: one alone (lifetime sparseness of
        │                                      the rectified maxima, Vinje and Gallant 2000)
        ├── class_index         (C, 3) int32   of /classes: the most frequent of the k best photographs, -1: none
        ├── class_share         (C, 3) float32 of the k best
        ├── quantile_image, quantile_value, quantile_cell, quantile_box     (C, 3, 3) and so on: three photographs each
        │                                      whose maxima lie at the quantiles .1, .5 and .9
        └── effective_px        float32        side of the square around a cell that holds 95 % of what moves it, on the
                                               model's input; boxes are that square. Absent where the receptive field
                                               is exact or the map is no grid on the input (network/effective.py)
"""

from konvolut.results.activation_files import (
    Rows,
    layers_of,
    new_activations,
    read_about,
    read_activations,
    read_evidence,
    read_maps,
    read_pooled,
    read_pooled_rows,
    read_rows,
    units_of,
    write_activations,
    write_joined,
)
from konvolut.results.contents import Activations, LayerActivations, Pictures, Priors, Saliency
from konvolut.results.evidence import Alike, Evidence, Examples, LayerExamples
from konvolut.results.evidence_files import read_alike, read_examples, write_alike, write_examples
from konvolut.results.named_files import read_named, read_passport, write_named
from konvolut.results.picture_files import read_pictures, read_priors, read_reached, write_pictures, write_priors
from konvolut.results.saliency_files import read_saliency, write_saliency

__all__ = [
    "Activations",
    "Alike",
    "Evidence",
    "Examples",
    "LayerActivations",
    "LayerExamples",
    "Pictures",
    "Priors",
    "Rows",
    "Saliency",
    "layers_of",
    "new_activations",
    "read_about",
    "read_activations",
    "read_alike",
    "read_evidence",
    "read_examples",
    "read_maps",
    "read_named",
    "read_passport",
    "read_pictures",
    "read_pooled",
    "read_pooled_rows",
    "read_priors",
    "read_reached",
    "read_rows",
    "read_saliency",
    "units_of",
    "write_activations",
    "write_alike",
    "write_examples",
    "write_joined",
    "write_named",
    "write_pictures",
    "write_priors",
    "write_saliency",
]
