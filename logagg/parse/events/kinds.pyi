import numpy as np
import numpy.typing as npt

from logagg.columnar.slices import Codes

Table = npt.NDArray[np.uint8]  # of truths

def kinds(
    rules: Codes,
    requests: Codes,
    statuses: npt.NDArray[np.int16],
    methods: Codes,
    by_status: Table,
    by_method: Table,
    kind_of: Codes,
    other: int,
) -> Codes: ...
def from_pages(kinds: Codes, kind: int, own: Codes, sites: Codes, names: Codes, referrers: Codes) -> Codes: ...
def entries(kinds: Codes, begin: Table, own: Codes, sites: Codes, names: Codes, referrers: Codes) -> Codes: ...
