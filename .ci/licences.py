"""Every package in the tree may be used in an MIT project: reads `cargo metadata` from standard input."""

import json
import re
import sys

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    "CC0-1.0", "ISC", "Unicode-3.0", "Unlicense", "Zlib", "0BSD", "NCSA",
}


def is_allowed(expression):
    """An SPDX expression, with the old `/` for OR; all of AND, one of OR."""
    alternatives = re.split(r"\s+OR\s+|/", expression.replace("(", " ").replace(")", " "))
    parts = lambda one: [part.strip() for part in re.split(r"\s+AND\s+", one)]
    if " AND " in expression and "(" in expression:
        # `(A OR B) AND C`: each factor by itself.
        return all(is_allowed(factor.strip(" ()")) for factor in re.split(r"\s+AND\s+", expression))
    return any(all(part in ALLOWED for part in parts(one)) for one in alternatives)


packages = json.load(sys.stdin)["packages"]
refused = [f"{one['name']} {one['version']}: {one['license']}" for one in packages if not is_allowed(one["license"] or "")]
print(f"{len(packages)} packages, {len(refused)} with a licence that is not on the list")
sys.exit("\n".join(refused) or 0)
