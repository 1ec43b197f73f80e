"""Numbers that others measured and published, read from their files. Every one of them carries the origin `published`.

Not a line of such a file is executed, and nothing in it is believed beyond its being a number: sizes are limited, and what does not look
as expected is refused in one line.
"""

from __future__ import annotations
