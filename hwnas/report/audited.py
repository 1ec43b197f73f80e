"""What an audit of the super-network says, for the page: how far the ranking by shared weights can be trusted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from device_profiles.errors import InputError
from hwnas.audit_words import heading, rankings, sentences
from hwnas.ranking_error import read_audit
from hwnas.report.model import Audited, Missing
from hwnas.run import Run


def audited(run: Run, missing: dict[str, Missing]) -> Audited | None:
    """The audit of the super-network behind a run; None, and why in `missing`, where there is none that can be read.

    A run without a super-network misses none.
    """
    record = run.spec.get("supernet")
    if not isinstance(record, Mapping) or not record.get("path"):
        return None
    folder = run.path / str(record["path"])
    command = f"hwnas audit {shlex.quote(str(folder))}"
    try:
        found = read_audit(folder, record.get("sha256"))
        if found is not None:
            return Audited(heading(found), rankings(found), [text[:1].upper() + text[1:] for text in sentences(found)])
        missing["audit"] = Missing("How well shared weights rank these architectures has not been looked at.", command)
    except InputError as error:
        missing["audit"] = Missing(f"The audit of the super-network cannot be read: {error}.", command)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        missing["audit"] = Missing(f"The audit of the super-network is damaged: {type(error).__name__}.", command)
    return None
