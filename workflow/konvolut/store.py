"""The HDF5 layout of every result, drawn here, and the only door to h5py.

Every file carries the root attributes `format` ("konvolut/1"), `kind` and `passport` (JSON). Text is UTF-8.
Files appear whole or not at all: they are written under a temporary name and renamed.

    results/{model}/activations/{first}-{last}.h5              kind = activations, one row per photograph
    ├── image                   (n,) str       keys of the photographs, in the order of the image sheet
    ├── label                   (n,) str       labels of the sheet ("" where none)
    ├── predictions/class       (n, 5) int32   the five likeliest classes
    ├── predictions/probability (n, 5) float32
    ├── predictions/name        (n, 5) str
    └── layers/{layer}/         a layer's name is used verbatim
        ├── maps                (n, C, H, W) float16 | float32, one chunk = one channel of a few photographs
        ├── max                 (n, C) float32 maximum over H, W
        ├── mean                (n, C) float32
        └── cell                (n, C, 2) int32 row and column of the (first) maximum

    results/{model}/channels/{layer}/{first}-{last}.h5         kind = channels, start is always "noise"
    results/{model}/dreams/{layer}/{first}-{last}.h5           kind = dreams, start is the key of a photograph
    └── pictures/{start}/
        ├── channel             (n,) int32
        ├── picture             (n, H, W, 3) uint8, sRGB
        ├── step                (m,) int32     after how many steps each intermediate was kept
        ├── intermediate        (n, m, H, W, 3) uint8
        ├── curve               (n, steps + 1) float32  the objective before each step and at the end
        ├── activation          (n, 4) float32 of the finished 8-bit picture: clean mean, clean max, mean and max under
        │                                      held-out transforms (medians)
        └── attempt             (n,) int32     0, or how many retries of the ladder it took

    results/{model}/saliency/{first}-{last}.h5                 kind = saliency, one row per photograph
    ├── image                   (n,) str
    ├── input                   (n, H, W, 3) uint8      what the model saw
    ├── target/class            (n, k) int32
    ├── target/name             (n, k) str
    ├── target/probability      (n, k) float32
    └── maps/{method}           (n, k, H, W) float32 (method vanilla, positive, negative: >= 0)

    results/{model}/examples.h5                                kind = examples
    ├── image                   (n,) str
    └── layers/{layer}/
        ├── image               (C, k) int32   rows of /image, best first
        ├── value               (C, k) float32
        ├── cell                (C, k, 2) int32
        ├── box                 (C, k, 4) float32  receptive field of the cell in the whole photograph as it is seen
        │                                          upright: left, top, right, bottom in 0..1, clipped to the photograph
        ├── mean, std, max      (C,) float32   of the unit's maxima over the photographs
        ├── active              (C,) float32   share of photographs with a maximum > 0
        ├── histogram           (C, 24) int32  of the unit's maxima
        └── edges               (C, 25) float32
"""
