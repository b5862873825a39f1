"""Names of arrays that cross module borders, with their shapes.

Shape letters, the same everywhere: B batch, X phones, P prompt tokens, T new tokens, Q rows that
the decoder takes at once, K cached positions, C cache capacity, N latent frames (50 Hz), S samples,
R reference frames, F ssl frames, M filter-bank frames, U characters, D hidden, H heads, A head
width, L layers, V vocabulary, W ssl width, G style width, I latent width, J width of conditioning
features, E speaker width, Y bins. N are mel frames in v3 (93.75 Hz) and v4 (100 Hz).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Int64: TypeAlias = NDArray[np.int64]

Samples: TypeAlias = Float32  # [S], in -1..1
PhoneIds: TypeAlias = Int64  # [X]
Tokens: TypeAlias = Int64  # [T] or [P], semantic tokens at 25 Hz
Features: TypeAlias = Float32  # [1024, X], text features per phone
Logits: TypeAlias = Float32  # [V]
Flags: TypeAlias = NDArray[np.bool_]  # [V]
Latent: TypeAlias = Float32  # [1, I, N]
Style: TypeAlias = Float32  # [1, G, 1]
CacheRows: TypeAlias = NDArray[np.float32] | NDArray[np.int8]  # [1, H, C, A]
